"""Arrays of samples: channels averaged, sample rates changed, batches padded."""

import io
import numbers

import numpy as np
import soundfile
import soxr

from speechzoo.audio.errors import AudioError

SAMPLE_RATE = 16000
# Outside of these a header is damaged, and resampling by such a ratio would fill the memory.
_MINIMUM_RATE, _MAXIMUM_RATE = 1000, 768000


def to_mono(samples: np.ndarray) -> np.ndarray:
    """(samples,) or (samples, channels), floats or an integer type that recorders write -> float32 (samples,).

    Raises:
        AudioError: Another shape or type.
    """
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
    return average_channels(samples) if samples.ndim == 2 else samples


def average_channels(samples: np.ndarray) -> np.ndarray:
    """float32 (samples, channels) -> (samples,)."""
    return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)


def checked_rate(rate, name: str) -> int:
    """A sample rate, Hz, or AudioError naming the recording."""
    if not isinstance(rate, numbers.Real) or not _MINIMUM_RATE <= rate <= _MAXIMUM_RATE or int(rate) != rate:
        raise AudioError(f"{name}: sample rate {rate!r} is not a whole number of Hz from {_MINIMUM_RATE} to "
                         f"{_MAXIMUM_RATE}")
    return int(rate)


def resample(audio: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Resamples float32 (samples,) with soxr's high quality; the same array when the rates are equal."""
    if from_rate == to_rate:
        return audio
    return soxr.resample(audio, from_rate, to_rate, quality="HQ").astype(np.float32, copy=False)


def resample_blocks(blocks, from_rate: int, to_rate: int):
    """Resamples float32 blocks (samples,); together they are what `resample` makes of all of them."""
    if from_rate == to_rate:
        yield from blocks
        return
    resampler = soxr.ResampleStream(from_rate, to_rate, 1, "float32", "HQ")
    for block in blocks:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


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
