"""Recordings as they come -> float32 mono at one sample rate.

`load_audio` reads whatever libsndfile reads (WAV, FLAC, OGG Vorbis and Opus, MP3, AIFF, ...); the content decides, not
the file's name. It resamples with soxr (quality HQ).
"""

import contextlib
import io
import math
import numbers
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

SAMPLE_RATE = 16000
_BLOCK_FRAMES = 8192
_OGG_PAGE_BYTES = 65307
# Outside of these a header is damaged, and resampling by such a ratio would fill the memory.
_MINIMUM_RATE, _MAXIMUM_RATE = 1000, 768000
# Float recordings and resampling overshoot full scale a little; beyond this (12 dB) the scale itself is wrong.
_MAXIMUM_PEAK = 4.0


class AudioError(ValueError):
    """A recording that can't be used; the message says which, what is wrong with it and what to do."""


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a recording says.

    Attributes:
        duration: Seconds.
        sample_rate: Hz.
        channels: Number of channels.
    """

    duration: float
    sample_rate: int
    channels: int


def load_audio(source, sample_rate: int = SAMPLE_RATE, start: float = 0.0, duration: float | None = None,
               maximum_seconds: float | None = None, strict: bool = False) -> np.ndarray:
    """Reads a recording as float32 (samples,) in [-1, 1], channels averaged, at `sample_rate`.

    Only the part asked for is read, so one minute of an 8-hour recording costs a minute of memory. What a truncated
    recording still holds is decoded; with `strict` it is an error.

    Args:
        source: A path, the bytes of a file, a binary file object, or an (array, sample rate) pair; the array is
            (samples,) or (samples, channels), uint8, int8, int16 or int32 of full scale, or floats in [-1, 1].
        sample_rate: Hz of the result.
        start: Where to begin, seconds.
        duration: How much to read, seconds; to the end when absent. A recording that ends earlier gives what it has.
        maximum_seconds: Refuse more than this; for callers whose memory or model has a limit.
        strict: Refuse a recording that ends before its header says, as a training label wouldn't fit what is left.

    Raises:
        AudioError: The recording is missing, empty, not audio, damaged, longer than `maximum_seconds`, or holds samples
            that are not finite.
        TypeError: `source` is none of these; an array needs its sample rate beside it.

    Example:
        >>> load_audio((np.zeros((48000, 2), np.int16), 48000)).shape
        (16000,)
    """
    if not start >= 0 or not math.isfinite(start):
        raise AudioError(f"start must be 0 seconds or more, got {start}")
    if duration is not None and not 0 < duration < math.inf:
        raise AudioError(f"duration must be more than 0 seconds, got {duration}")
    if isinstance(source, tuple) and len(source) == 2:
        name = "the array"
        samples, rate = np.asarray(source[0]), _checked_rate(source[1], name)
        samples = _mono(samples)
        first = int(round(start * rate))
        last = len(samples) if duration is None else first + int(round(duration * rate))
        _check_start(name, first, len(samples), rate)
        _check_length(name, (min(last, len(samples)) - first) / rate, maximum_seconds)
        samples = samples[first:last].copy()
    else:
        with _open(source) as (file, name, truncated):
            if truncated and strict:
                raise AudioError(f"{name}: truncated, the file ends before its header says")
            rate = _checked_rate(file.samplerate, name)
            samples = _read_part(file, name, rate, start, duration, maximum_seconds, strict)
    if not len(samples):
        raise AudioError(f"{name}: holds no samples")
    peak = float(max(samples.max(), -samples.min()))
    if not math.isfinite(peak):
        bad = int(np.argmin(np.isfinite(samples)))
        raise AudioError(f"{name}: sample {bad} at {start + bad / rate:.3f} s is not a finite number (NaN or infinite)")
    if peak > _MAXIMUM_PEAK:
        raise AudioError(f"{name}: float samples reach {peak:g}, full scale is 1; divide 16-bit values by 32768")
    if rate == sample_rate and peak <= 1:
        return samples
    samples = np.clip(resample(samples, rate, sample_rate), -1.0, 1.0)
    if not len(samples):
        raise AudioError(f"{name}: too short, it holds less than one sample at {sample_rate} Hz")
    return samples


def stream_audio(source, sample_rate: int = SAMPLE_RATE, block_seconds: float = 0.25) -> Iterator[np.ndarray]:
    """Reads a recording of any length block by block; together the blocks are what `load_audio` gives.

    Args:
        source: A path, bytes or a binary file object.
        sample_rate: Hz to resample to.
        block_seconds: Audio read at once.

    Yields:
        float32 (samples,), mono, in [-1, 1].

    Raises:
        AudioError: The recording is missing, empty or not audio, or holds samples that are not finite.
    """
    with _open(source) as (file, name, _):
        rate = _checked_rate(file.samplerate, name)
        resampler = None if rate == sample_rate else soxr.ResampleStream(rate, sample_rate, 1, "float32", "HQ")
        block = np.empty((max(1, round(block_seconds * rate)), file.channels), np.float32)
        while True:
            try:
                frames = file.buffer_read_into(block, "float32")
            except soundfile.LibsndfileError:
                break  # damaged from here on
            if not frames:
                break
            samples = block[:frames].mean(axis=1)
            if not np.isfinite(samples).all():
                raise AudioError(f"{name}: holds samples that are not finite numbers (NaN or infinite)")
            samples = samples if resampler is None else resampler.resample_chunk(samples)
            yield np.clip(samples, -1.0, 1.0)
        if resampler is not None:
            yield np.clip(resampler.resample_chunk(np.zeros(0, np.float32), last=True), -1.0, 1.0)


def audio_info(source) -> AudioInfo:
    """Reads the header of a recording (a path, bytes or a binary file object).

    Raises:
        AudioError: The recording is missing, empty or not audio.
    """
    with _open(source) as (file, name, _):
        rate = _checked_rate(file.samplerate, name)
        return AudioInfo(file.frames / rate, rate, file.channels)


def resample(audio: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Resamples float32 (samples,) with soxr's high quality; the same array when the rates are equal."""
    if from_rate == to_rate:
        return audio
    return soxr.resample(audio, from_rate, to_rate, quality="HQ").astype(np.float32, copy=False)


def encode_flac(audio: np.ndarray, sample_rate: int = SAMPLE_RATE) -> bytes:
    """float32 (samples,) in [-1, 1] as the bytes of a 16-bit FLAC file; 16-bit recordings survive unchanged."""
    # libsndfile would scale by 32767 on the way out and by 32768 on the way in.
    samples = np.clip(np.rint(audio * np.float32(32768)), -32768, 32767).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def pad_batch(audios: list[np.ndarray], minimum_samples: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """One array of several recordings, with zeros behind the shorter ones.

    Args:
        audios: float32 (samples,) each.
        minimum_samples: A shorter recording counts as that long: silence completes it.

    Returns:
        float32 (batch, samples of the longest), and int32 (batch,), how many of them are each recording's.

    Example:
        >>> audio, lengths = pad_batch([np.ones(2, np.float32), np.ones(3, np.float32)])
        >>> audio.sum(axis=1).tolist(), lengths.tolist()
        ([2.0, 3.0], [2, 3])
    """
    lengths = np.array([max(len(audio), minimum_samples) for audio in audios], np.int32)
    batch = np.zeros((len(audios), lengths.max()), np.float32)
    for row, audio in zip(batch, audios):
        row[:len(audio)] = audio
    return batch, lengths


@contextlib.contextmanager
def _open(source):
    """Opens a path, bytes or a file object: (SoundFile, name for messages, whether it ends too early)."""
    with contextlib.ExitStack() as stack:
        if isinstance(source, (str, os.PathLike)):
            name = os.fspath(source)
            try:
                stream = stack.enter_context(open(source, "rb"))
            except OSError as error:
                reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror.lower()
                raise AudioError(f"{name}: {reason}") from None
            if stream.seekable():
                # A bare descriptor: reads without going through Python, and the file's name can't mislead the decoder.
                target = stream.fileno()
            else:  # /dev/stdin, a named pipe
                stream = target = io.BytesIO(stream.read())
        elif isinstance(source, (bytes, bytearray, memoryview)):
            name = "the audio bytes"
            stream = target = io.BytesIO(source)
        elif hasattr(source, "read"):
            name = str(getattr(source, "name", "the audio stream"))
            seekable = getattr(source, "seekable", lambda: False)()
            stream = target = source if seekable else io.BytesIO(source.read())
        else:
            raise TypeError(f"audio must be a path, bytes, a file object or an (array, sample rate) pair, "
                            f"got {type(source).__name__}")
        position = stream.tell()
        head = stream.read(512)
        size = stream.seek(0, io.SEEK_END) - position
        stream.seek(position + max(0, size - _OGG_PAGE_BYTES))
        tail = stream.read() if head[:4] == b"OggS" else b""
        stream.seek(position)
        if not head:
            raise AudioError(f"{name}: empty, 0 bytes")
        try:
            file = stack.enter_context(soundfile.SoundFile(target, closefd=False))
        except (soundfile.LibsndfileError, TypeError):  # TypeError: taken for samples without a header
            kind = "a text file, not audio" if _is_text(head) else "damaged, or not WAV, FLAC, OGG or MP3 audio"
            raise AudioError(f"{name}: {kind}") from None
        yield file, name, _is_truncated(head, tail, size)


def _is_text(head: bytes) -> bool:
    return all(byte in b"\t\n\r" or 32 <= byte < 127 or byte >= 128 for byte in head)


def _is_truncated(head: bytes, tail: bytes, size: int) -> bool:
    """Whether a WAV or OGG ends too early, which libsndfile doesn't say: it believes the size, not the header."""
    if head[:4] == b"RIFF":
        declared = int.from_bytes(head[4:8], "little")
        # 0 and 0xFFFFFFFF are what a program that writes to a pipe leaves in the header.
        return 0 < declared < 0xFFFFFF00 and declared + 8 > size + 1
    if tail:
        last_page = tail[tail.rfind(b"OggS"):]
        return len(last_page) < 6 or not last_page[5] & 4  # flag "end of stream"
    return False


def _read_part(file, name, rate, start, duration, maximum_seconds, strict):
    """Decodes the frames asked for block by block, averaging channels, so that only one channel is ever held whole."""
    first = int(round(start * rate))
    wanted = None if duration is None else max(1, int(round(duration * rate)))
    if first:
        _check_start(name, first, file.frames, rate)
    available = max(0, file.frames - first)
    expected = available if wanted is None else min(wanted, available)
    _check_length(name, expected / rate, maximum_seconds)
    if first:
        try:
            file.seek(first)
        except (soundfile.LibsndfileError, RuntimeError):
            raise AudioError(f"{name}: can't be read from {start} s on; the file is damaged") from None
    block = np.empty((_BLOCK_FRAMES, file.channels), np.float32)
    parts, count = [], 0
    while wanted is None or count < wanted:
        try:
            # Not `read`, which trusts the header's number of frames: that of a truncated OGG file is 0.
            frames = file.buffer_read_into(block[:_BLOCK_FRAMES if wanted is None else wanted - count], "float32")
        except soundfile.LibsndfileError:
            break  # damaged from here on
        if not frames:
            break
        parts.append(_mono(block[:frames]).copy())
        count += frames
        _check_length(name, count / rate, maximum_seconds)
    if strict and count < 0.99 * expected - 0.1 * rate:
        decoded = f"{count / rate:.2f} s of {expected / rate:.2f} s"
        raise AudioError(f"{name}: truncated or damaged, {decoded} can be decoded")
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _mono(samples: np.ndarray) -> np.ndarray:
    """(samples,) or (samples, channels), floats or an integer type that recorders write -> float32 (samples,)."""
    if samples.ndim not in (1, 2) or samples.ndim == 2 and samples.shape[1] > max(1, samples.shape[0]):
        raise AudioError(f"audio of shape {samples.shape}: expected (samples,) or (samples, channels)")
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype in (np.int8, np.int16, np.int32):
        samples = (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
    elif np.issubdtype(samples.dtype, np.floating):
        samples = samples.astype(np.float32, copy=False)
    else:
        # No recorder writes int64: it is what NumPy makes of a list of 16-bit samples, which its full scale would hush.
        raise AudioError(f"audio of type {samples.dtype}: expected uint8, int8, int16, int32 or floats")
    if samples.ndim == 1:
        return samples
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)


def _checked_rate(rate, name) -> int:
    if not isinstance(rate, numbers.Real) or not _MINIMUM_RATE <= rate <= _MAXIMUM_RATE or int(rate) != rate:
        raise AudioError(f"{name}: sample rate {rate!r} is not a whole number of Hz from {_MINIMUM_RATE} to "
                         f"{_MAXIMUM_RATE}")
    return int(rate)


def _check_start(name, first, frames, rate):
    if first >= max(1, frames):
        raise AudioError(f"{name}: start is {first / rate:.2f} s, the recording ends at {frames / rate:.2f} s")


def _check_length(name, seconds, maximum_seconds):
    if maximum_seconds is not None and seconds > maximum_seconds:
        raise AudioError(f"{name}: {seconds:.1f} s, longer than {maximum_seconds:g} s: "
                         "read a part of it with start and duration")
