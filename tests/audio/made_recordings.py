"""Recordings as programs really leave them: sizes that nobody filled in, joined files, files that were cut off."""

import struct

import numpy as np

from tests.helpers import encoded, tone

SECONDS = 2.0
AUDIO, OTHER = tone(SECONDS, seed=1), tone(SECONDS, 880, seed=2)
FORMATS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC", "OGG", "OPUS", "MP3")
# Sizes that stand for "I don't know yet": espeak-ng and SoX, arecord, ffmpeg, and programs that begin with 0.
UNKNOWN = (0, 0x7FFFFFFF, 0x7FFFF000, 0x7FFFF024, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF - 36)


def made(audio=AUDIO, container="WAV", sample_rate=16000, subtype=None) -> bytes:
    if container == "OPUS":
        container, subtype = "OGG", "OPUS"
    return encoded(audio, container, sample_rate, subtype)


def changed(data: bytes, *changes) -> bytes:
    """`data` with (place, form of `struct`, value) written into it."""
    data = bytearray(data)
    for place, form, value in changes:
        struct.pack_into(form, data, place, value)
    return bytes(data)


def wav(riff=None, size=None, behind=b"") -> bytes:
    """A WAV whose header says these sizes."""
    data = made()
    return changed(data, (4, "<I", len(data) - 8 if riff is None else riff),
                   (40, "<I", len(data) - 44 if size is None else size)) + behind


def aiff(form, chunk, frames) -> bytes:
    data = made(container="AIFF")
    return changed(data, (4, ">I", form), (data.index(b"COMM") + 10, ">I", frames),
                   (data.index(b"SSND") + 4, ">I", chunk))


def flac(samples, audio=AUDIO) -> bytes:
    """A FLAC whose STREAMINFO says so many samples; 0 is legal and means unknown."""
    data = made(audio, "FLAC")
    return changed(data, (21, "B", data[21] & 0xF0 | samples >> 32), (22, ">I", samples & 0xFFFFFFFF))


def whole_recordings() -> dict[str, bytes]:
    """Name -> a file that holds all of `AUDIO`, whatever its header says."""
    data = made()
    found = {f"WAV, RIFF {riff:#x}, data {size:#x}": wav(riff, size)
             for riff in (*UNKNOWN, len(data)) for size in (*UNKNOWN, len(data) - 44)}
    found |= {f"AIFF, SSND {size:#x}": aiff(size, size, 0) for size in UNKNOWN}
    found |= {f"AIFF, SSND {size:#x}": aiff(0, size, 0x7FFFFFFF) for size in (8, 0x7F000000)}
    found |= {f"AU, data {size:#x}": changed(made(container="AU"), (8, ">I", size)) for size in UNKNOWN}
    caf = made(container="CAF")
    found |= {f"CAF, data {size}": changed(caf, (caf.index(b"data") + 4, ">q", size)) for size in (-1, 0)}
    rf64 = made(container="RF64")
    found |= {f"RF64, ds64 {size:#x}": changed(rf64, (28, "<Q", size)) for size in (0, (1 << 64) - 1)}
    found |= {"FLAC of unknown length": flac(0), "FLAC that says too little": flac(8000)}
    found |= {f"{kind} behind an ID3 tag": b"ID3\x03\0\0\0\0\0\x0a" + bytes(10) + made(container=kind)
              for kind in ("WAV", "FLAC", "MP3")}
    found |= {f"{kind} before {what}": made(container=kind) + behind for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF")
              for what, behind in (("a tag", b"TAG" + bytes(125)), ("zeros", bytes(5000)))}
    found["WAV with a chunk behind"] = wav(behind=b"LIST" + struct.pack("<I", 6) + b"INFOab")
    found["WAV with a few bytes behind"] = wav(behind=b"\r\n------WebKitFormBoundary--")
    found["WAV that says too little"] = wav(size=1000)
    found |= {f"WAV whose samples count {added} bytes of header": wav(size=len(made()) - 44 + added) for added in (8, 44)}
    ogg = made(container="OGG")
    last = ogg.rindex(b"OggS")
    found["OGG that was stopped"] = changed(ogg, (last + 5, "B", 0), (last + 22, "<I", _ogg_crc(changed(
        ogg[last:], (5, "B", 0), (22, "<I", 0)))))
    return found


def _ogg_crc(page: bytes) -> int:
    """RFC 3533, 6: polynomial 0x04c11db7, no reflection."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def joined_recordings() -> dict[str, bytes]:
    """Name -> a file that holds `AUDIO` and, behind it, `OTHER`, each as a file of its own."""
    found = {kind: made(container=kind) + made(OTHER, kind) for kind in FORMATS}
    found["WAV of unknown sizes"] = wav(0xFFFFFFFF, 0xFFFFFFFF) + made(OTHER)
    found["FLAC of unknown lengths"] = flac(0) + flac(0, OTHER)
    found["MP3 and a tag"] = made(container="MP3") + b"TAG" + bytes(125) + made(OTHER, "MP3")
    found["stereo behind mono"] = made() + made(np.stack([OTHER, OTHER], axis=1))
    return found


def cut_recordings() -> dict[str, bytes]:
    """Name -> a file that ends in the middle of `AUDIO`, though its header promises all of it."""
    found = {}
    for kind in FORMATS:
        data = made(np.concatenate([AUDIO, OTHER]), kind)
        found[kind] = data[:len(data) // 2]
    found["FLAC, in its last frame"] = made(container="FLAC")[:-100]
    found["FLAC that says too much"] = flac(10 * len(AUDIO))
    found["behind the first of two"] = made() + made(OTHER)[:30000]
    return found
