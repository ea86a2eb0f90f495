"""Reading recordings whole, in part, or block by block."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from speechzoo.audio.errors import AudioError
from speechzoo.audio.recording import open_recording
from speechzoo.audio.samples import SAMPLE_RATE, checked_rate, resample_blocks, to_mono

# Float recordings and resampling overshoot full scale a little; beyond this (12 dB) the scale itself is wrong.
_MAXIMUM_PEAK = 4.0
# What a label may be longer than the recording: times are rounded, and codecs' blocks are.
_TOLERANCE_SECONDS, _TOLERANCE_PART = 0.1, 0.01


@dataclass(frozen=True)
class AudioInfo:
    """What a recording is.

    Attributes:
        duration: Seconds that can be decoded.
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
        strict: Refuse a recording that ends before `duration` or, without one, before its header says, as a training
            label wouldn't fit what is left.

    Raises:
        AudioError: The recording is missing, empty, not audio, damaged, longer than `maximum_seconds`, or holds samples
            that are not finite.
        TypeError: `source` is none of these; an array needs its sample rate beside it.

    Example:
        >>> load_audio((np.zeros((48000, 2), np.int16), 48000)).shape
        (16000,)
    """
    _check_part(start, duration)
    with _open(source) as recording:
        name, rate = recording.name, recording.rate
        first, wanted = _part(recording, start, duration)
        expected = max(0, recording.declared - first) if wanted is None else min(wanted, recording.declared - first)
        if maximum_seconds is not None and expected > maximum_seconds * rate:  # refused before decoding
            expected = min(expected, recording.frames - first)
            _check_length(name, expected, rate, maximum_seconds)
        checks = _Checks(name, rate, start, maximum_seconds)
        samples = list(_clipped(resample_blocks(checks.passing(recording.blocks(first, wanted)), rate, sample_rate)))
        if strict:
            _check_whole(recording, first, wanted, checks.count)
    if not checks.count:
        raise AudioError(f"{name}: holds no samples")
    samples = np.concatenate(samples)
    if not len(samples):
        raise AudioError(f"{name}: too short, it holds less than one sample at {sample_rate} Hz")
    return samples


def stream_audio(source, sample_rate: int = SAMPLE_RATE, block_seconds: float = 0.25, start: float = 0.0,
                 duration: float | None = None) -> Iterator[np.ndarray]:
    """Reads a recording of any length block by block; together the blocks are exactly what `load_audio` gives.

    Args:
        source: As `load_audio` takes it.
        sample_rate: Hz to resample to.
        block_seconds: Longest block.
        start, duration: As of `load_audio`.

    Yields:
        float32 (samples,), mono, in [-1, 1].

    Raises:
        AudioError: As `load_audio`; what was read before has been given by then.
        TypeError: `source` is none of these.
    """
    size = max(1, round(block_seconds * sample_rate))
    _check_part(start, duration)
    with _open(source) as recording:
        checks = _Checks(recording.name, recording.rate, start)
        blocks = recording.blocks(*_part(recording, start, duration))
        given = 0
        for block in _clipped(resample_blocks(checks.passing(blocks), recording.rate, sample_rate)):
            given += len(block)
            yield from (block[first:first + size] for first in range(0, len(block), size))
    if not checks.count:
        raise AudioError(f"{recording.name}: holds no samples")
    if not given:
        raise AudioError(f"{recording.name}: too short, it holds less than one sample at {sample_rate} Hz")


def audio_info(source) -> AudioInfo:
    """How long a recording is, and its sample rate and channels: what `load_audio` will give of it.

    Nothing is decoded where its header says how long it is and the end is there.

    Args:
        source: As `load_audio` takes it.

    Raises:
        AudioError: The recording is missing, empty or not audio.
    """
    with _open(source) as recording:
        return AudioInfo(recording.frames / recording.rate, recording.rate, recording.channels)


def is_longer(source, seconds: float) -> bool:
    """Whether more than so many seconds can be decoded of a recording; no more of it is decoded to find out.

    Args:
        source: As `load_audio` takes it.
        seconds: Length.

    Raises:
        AudioError: The recording is missing, empty or not audio.

    Example:
        >>> is_longer((np.zeros(16001, np.int16), 16000), 1.0)
        True
    """
    with _open(source) as recording:
        limit = int(seconds * recording.rate)
        if recording.declared <= limit and all(piece.declared for piece in recording.pieces):
            return False
        # A header may promise what isn't there, or not know: that of a broken file says 0.
        return sum(map(len, recording.blocks(0, limit + 1))) > limit


class _Array:
    """Samples in memory, as a recording."""

    name, cut, known_cut, pieces = "the array", False, False, ()

    def __init__(self, samples, rate):
        samples = np.asarray(samples)
        self.rate, self._samples = checked_rate(rate, self.name), to_mono(samples)
        self.channels = 1 if samples.ndim == 1 else samples.shape[1]
        self.frames = self.declared = len(self._samples)

    def blocks(self, first=0, count=None):
        last = self.frames if count is None else first + count
        if first < self.frames:
            yield self._samples[first:last].copy()


def _open(source):
    if isinstance(source, tuple) and len(source) == 2:
        return contextlib.nullcontext(_Array(*source))
    return open_recording(source)


def _check_part(start, duration):
    if not start >= 0 or not math.isfinite(start):
        raise AudioError(f"start must be 0 seconds or more, got {start}")
    if duration is not None and not 0 < duration < math.inf:
        raise AudioError(f"duration must be more than 0 seconds, got {duration}")


def _part(recording, start, duration):
    """First frame and number of frames (None: to the end) of the part of a recording that is asked for."""
    rate = recording.rate
    first = int(round(start * rate))
    if first and first >= recording.declared or first and first >= recording.frames:
        raise AudioError(f"{recording.name}: start is {start:.2f} s, the recording ends at "
                         f"{recording.frames / rate:.2f} s")
    return first, None if duration is None else max(1, int(round(duration * rate)))


class _Checks:
    """Counts frames as they pass, and looks at each of them."""

    def __init__(self, name, rate, start=0.0, maximum_seconds=None):
        self.name, self.rate, self.start, self.maximum_seconds, self.count = name, rate, start, maximum_seconds, 0

    def passing(self, blocks):
        for block in blocks:
            peak = float(max(block.max(), -block.min()))
            if not math.isfinite(peak):
                bad = self.count + int(np.argmin(np.isfinite(block)))
                raise AudioError(f"{self.name}: sample {bad} at {self.start + bad / self.rate:.3f} s is not a finite "
                                 "number (NaN or infinite)")
            if peak > _MAXIMUM_PEAK:
                raise AudioError(f"{self.name}: float samples reach {peak:g}, full scale is 1; divide 16-bit values by "
                                 "32768")
            self.count += len(block)
            _check_length(self.name, self.count, self.rate, self.maximum_seconds)
            yield block


def _clipped(blocks):
    for block in blocks:
        yield np.clip(block, -1.0, 1.0, out=block)


def _check_length(name, frames, rate, maximum_seconds):
    if maximum_seconds is not None and frames > maximum_seconds * rate:
        raise AudioError(f"{name}: {frames / rate:.1f} s, longer than {maximum_seconds:g} s: "
                         "read a part of it with start and duration")


def _check_whole(recording, first, wanted, count):
    """Raises AudioError where less was read than was asked for, or than the header promises."""
    name, rate = recording.name, recording.rate

    def is_less_than(frames):
        return count < (1 - _TOLERANCE_PART) * frames - _TOLERANCE_SECONDS * rate

    if wanted is not None and (count or recording.cut):
        if is_less_than(wanted):
            raise AudioError(f"{name}: {'truncated: ' if recording.cut else ''}{first / rate:.2f} s to "
                             f"{(first + wanted) / rate:.2f} s was asked for, and "
                             f"{'what is left of it' if recording.cut else 'the recording'} ends at "
                             f"{(first + count) / rate:.2f} s")
    elif recording.known_cut or is_less_than(recording.declared - first) and recording.cut:
        raise AudioError(f"{name}: truncated, the file ends before its header says")
    elif is_less_than(recording.declared - first) and is_less_than(recording.frames - first):
        raise AudioError(f"{name}: damaged, {count / rate:.2f} s of {(recording.frames - first) / rate:.2f} s can be "
                         "decoded")
