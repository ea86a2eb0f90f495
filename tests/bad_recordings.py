"""Recordings as they shouldn't be, and what is said about each of them."""

import struct

import numpy as np

from tests.helpers import encoded, tone

EIGHT_HOURS = 8 * 3600


def wav_header(seconds):
    """The first 44 bytes of a 16 kHz 16-bit mono WAV of that length."""
    size = 2 * 16000 * seconds
    return struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", size + 36, b"WAVEfmt ", 16, 1, 1, 16000, 32000, 2, 16, b"data",
                       size)


def spoilt(value):
    """Half a second of float samples, one of which is `value`."""
    samples = tone(0.5)
    samples[800] = value
    return encoded(samples, subtype="FLOAT")


def surround(rate=96000):
    return encoded(np.stack([tone(0.5, sample_rate=rate)] * 6, axis=1), sample_rate=rate, subtype="PCM_24")


GOOD = encoded(tone(0.5))
# Name -> (contents, None where it is simply recognised and otherwise what the message says, the same where training
# data is made of it: a label of the whole doesn't fit what is left of a truncated recording).
RECORDINGS = {
    "missing.wav": (None, "no such file", "no such file"),
    "empty.wav": (b"", "empty, 0 bytes", "empty, 0 bytes"),
    "zero_length.wav": (encoded(np.zeros(0)), "holds no samples", "holds no samples"),
    "only_a_header.wav": (GOOD[:44], "holds no samples", "truncated"),
    "half_a_header.wav": (GOOD[:20], "damaged, or not WAV", "damaged, or not WAV"),
    "text.wav": (b"turn on the light\n", "a text file, not audio", "a text file, not audio"),
    "other.wav": (bytes(range(256)) * 10, "damaged, or not WAV", "damaged, or not WAV"),
    "nan.wav": (spoilt(np.nan), "sample 800 at 0.050 s is not a finite number", "is not a finite number"),
    "infinite.wav": (spoilt(np.inf), "sample 800 at 0.050 s is not a finite number", "is not a finite number"),
    "too_loud.wav": (encoded(tone(0.5) * 32767, subtype="FLOAT"), "float samples reach 10922.3", "full scale is 1"),
    "eight_hours.wav": (wav_header(EIGHT_HOURS), None, "28800.0 s, longer than 600 s"),
    "claims_eight_hours.wav": (wav_header(EIGHT_HOURS) + GOOD[44:], None, "truncated"),
    "truncated.wav": (GOOD[:len(GOOD) // 2], None, "truncated"),
    "silent.wav": (encoded(np.zeros(8000)), None, None),
    "clipped.wav": (encoded(np.sign(tone(0.5))), None, None),
    "a_wav.mp3": (GOOD, None, None),
    "surround_96_khz.wav": (surround(), None, None),
    "8_bit.wav": (encoded(tone(0.5), subtype="PCM_U8"), None, None),
    "float.wav": (encoded(tone(0.5), subtype="FLOAT"), None, None),
    "one_sample.wav": (encoded(tone(1 / 16000)), None, None),
}


def make(folder, name):
    """Writes one of the recordings into `folder`; returns its path."""
    path, contents = folder / name, RECORDINGS[name][0]
    if contents is not None:
        path.write_bytes(contents)
    if name == "eight_hours.wav":  # a sparse file: 0.9 GB to whoever reads it, and nothing on the disk
        with path.open("r+b") as file:
            file.truncate(44 + 2 * 16000 * EIGHT_HOURS)
    return path


def make_all(folder):
    """Writes all of them into `folder`."""
    for name in RECORDINGS:
        make(folder, name)
