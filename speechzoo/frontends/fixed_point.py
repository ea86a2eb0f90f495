"""Log-mel features in integers: what a microcontroller computes, bit for bit.

The C code that `speechzoo export --format micro` writes does exactly this, with these tables. Only integers are used
after the tables were made, products have 64 bits, and every right shift is arithmetic.
"""

from dataclasses import dataclass

import numpy as np

from speechzoo.frontends.log_mel import LogMel

SAMPLE_BITS = 15        # a sample is an int16: 1.0 is 2^15
PREEMPHASIS_BITS = 15
WINDOW_BITS = 15
TWIDDLE_BITS = 30
LOG_BITS = 15           # fraction of a logarithm of base 2
LOG_SEGMENTS = 64       # between two powers of two the logarithm is a polygon
FEATURE_BITS = 28


@dataclass(frozen=True)
class FixedPointLogMel:
    """The tables of a `LogMel` front end in integers.

    Attributes:
        hop_length, window_length, fft_length: Samples.
        lookback: Zeros in front of the first sample, so that the first frame ends with the first hop; 0 for a front end
            that looks ahead.
        preemphasis: Coefficient, 15 fraction bits.
        window: (window_length,), 15 fraction bits.
        window_shift: Right shift of a sample times the window; what the Fourier transform then adds up fits 30 bits.
        twiddles: (fft_length / 2, 2) cosine and negated sine of 2 pi k / fft_length, 30 fraction bits.
        power_shift: Right shift of the power of a bin, so that a sum over all bins fits 63 bits.
        filter_starts, filter_sizes: (bins,) first Fourier bin of each mel filter, and how many it has.
        filter_weights: Weights of all filters, one filter after the other.
        floor: Smallest mel energy.
        logarithms: (LOG_SEGMENTS + 1,) log2(1 + i / LOG_SEGMENTS), 15 fraction bits.
        multipliers, offsets: (bins,) a feature is (log2 x multiplier + offset) >> FEATURE_BITS: the logarithm,
            normalisation and int8 scale in one.
    """

    hop_length: int
    window_length: int
    fft_length: int
    lookback: int
    preemphasis: int
    window: np.ndarray
    window_shift: int
    twiddles: np.ndarray
    power_shift: int
    filter_starts: np.ndarray
    filter_sizes: np.ndarray
    filter_weights: np.ndarray
    floor: int
    logarithms: np.ndarray
    multipliers: np.ndarray
    offsets: np.ndarray

    @classmethod
    def from_layer(cls, layer, scale: float, zero_point: int) -> "FixedPointLogMel":
        """The tables of a built `LogMel` layer.

        Args:
            layer: `normalization` is `stored` or `none`.
            scale, zero_point: int8 quantization of the features: feature = scale x (q - zero_point).

        Raises:
            ValueError: A layer that has no fixed-point form; the message names the option.
        """
        if not isinstance(layer, LogMel):
            raise ValueError("only the front end log_mel has C sources here; for micro_features, which ESPHome's "
                             "devices compute by themselves, use --format esphome")
        if layer.normalization == "utterance":
            raise ValueError("log_mel: normalization 'utterance' needs the whole utterance before its first frame; a "
                             "microcontroller needs 'stored' or 'none'")
        size, hop, length = layer.fft_length, layer.hop_length, layer.window_length
        if size & (size - 1) or size < 8:
            raise ValueError(f"log_mel: fft_length {size} is not a power of two, which the fixed-point transform needs")
        if not 0 <= layer.preemphasis < 1 or hop > length:
            raise ValueError("log_mel: in fixed point preemphasis is from 0 to below 1, and a hop no longer than the "
                             f"window; got {layer.preemphasis}, {hop} and {length} samples")
        window = np.hanning(length + 1)[:-1]
        # No partial sum of the transform is greater than the sum of all magnitudes; the result is doubled once more.
        peak = 2.0 ** SAMPLE_BITS * (1 + layer.preemphasis)
        fraction = int(np.floor(29 - np.log2(peak * window.sum())))
        filters = layer.filters.astype(np.float64)
        filter_bits = int(15 - np.ceil(np.log2(filters.max())))
        # Parseval: the power of all bins together is at most fft_length times that of the windowed samples.
        power = size * peak ** 2 * np.square(window).sum() * 4.0 ** (fraction + 1)
        power_shift = max(0, int(np.ceil(np.log2(power) + 15 - 63)))
        unit_bits = 2 * SAMPLE_BITS + 2 * (fraction + 1) + filter_bits - power_shift  # log2 of an energy of 1.0
        used = [np.flatnonzero(column) for column in filters.T]
        starts = [bins[0] if len(bins) else 0 for bins in used]
        sizes = [bins[-1] + 1 - bins[0] if len(bins) else 0 for bins in used]
        weights = [filters[start:start + count, index] for index, (start, count) in enumerate(zip(starts, sizes))]
        angle = 2 * np.pi * np.arange(size // 2) / size
        mean, deviation = np.zeros(layer.num_mel_bins), np.ones(layer.num_mel_bins)
        if layer.normalization == "stored":
            mean = np.asarray(layer.mean, np.float64)
            deviation = np.sqrt(np.asarray(layer.variance, np.float64) + 1e-5)
        slope = np.log(2) / deviation / scale
        multipliers = np.rint(slope * 2.0 ** (FEATURE_BITS - LOG_BITS))
        offsets = (zero_point - mean / deviation / scale - slope * unit_bits + 0.5) * 2.0 ** FEATURE_BITS
        if multipliers.max() >= 2 ** 31:
            raise ValueError("log_mel: a mel bin has hardly any variance; was the front end adapted to training data?")
        return cls(
            hop, length, size, length - hop if layer.causal else 0,
            _integers(layer.preemphasis * 2 ** PREEMPHASIS_BITS),
            _integers(window * 2 ** WINDOW_BITS), PREEMPHASIS_BITS + WINDOW_BITS - fraction,
            _integers(np.stack([np.cos(angle), -np.sin(angle)], axis=1) * 2.0 ** TWIDDLE_BITS), power_shift,
            _integers(starts), _integers(sizes), _integers(np.concatenate(weights) * 2.0 ** filter_bits),
            max(1, int(round(layer.floor * 2.0 ** unit_bits))),
            _integers(np.log2(1 + np.arange(LOG_SEGMENTS + 1) / LOG_SEGMENTS) * 2 ** LOG_BITS),
            _integers(multipliers), _integers(offsets))

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """int16 (samples,) -> int8 (samples // hop, bins); what the last windows lack is completed with zeros."""
        logarithms = log2(np.maximum(self.energies(samples), self.floor), self.logarithms)
        features = (logarithms * self.multipliers + self.offsets) >> FEATURE_BITS
        return np.clip(features, -128, 127).astype(np.int8)

    def energies(self, samples: np.ndarray) -> np.ndarray:
        """Mel energies: int64 (frames, bins)."""
        count = len(samples) // self.hop_length
        after = max(0, (count - 1) * self.hop_length + self.window_length - self.lookback - len(samples))
        samples = np.pad(samples.astype(np.int64), (1, 0))  # the sample before the first is 0
        sharp = (samples[1:] << PREEMPHASIS_BITS) - self.preemphasis * samples[:-1]
        sharp = np.pad(sharp, (self.lookback, after))
        starts = np.arange(count)[:, None] * self.hop_length
        frames = _rounded(sharp[starts + np.arange(self.window_length)] * self.window, self.window_shift)
        frames = np.pad(frames, ((0, 0), (0, self.fft_length - self.window_length)))
        power = self._doubled_spectrum_power(frames) >> self.power_shift
        ends = np.cumsum(self.filter_sizes)
        return np.stack([power[:, start:start + size] @ self.filter_weights[end - size:end]
                         for start, size, end in zip(self.filter_starts, self.filter_sizes, ends)], axis=1)

    def _doubled_spectrum_power(self, frames):
        """|2 X|^2 of the real transform X: (frames, fft_length / 2 + 1)."""
        half = self.fft_length // 2
        real, imaginary = self._complex_transform(frames[:, 0::2], frames[:, 1::2])
        # Even and odd samples were one complex signal; their spectra are its symmetric and antisymmetric parts.
        index = np.arange(1, half)
        mirrored_real, mirrored_imaginary = real[:, half - index], imaginary[:, half - index]
        even_real, even_imaginary = real[:, 1:] + mirrored_real, imaginary[:, 1:] - mirrored_imaginary
        odd_real, odd_imaginary = imaginary[:, 1:] + mirrored_imaginary, mirrored_real - real[:, 1:]
        turned_real, turned_imaginary = _product(odd_real, odd_imaginary, *self.twiddles[1:].T)
        edges = 2 * np.stack([real[:, 0] + imaginary[:, 0], real[:, 0] - imaginary[:, 0]], axis=1)
        inner = np.square(even_real + turned_real) + np.square(even_imaginary + turned_imaginary)
        return np.concatenate([np.square(edges[:, :1]), inner, np.square(edges[:, 1:])], axis=1)

    def _complex_transform(self, real, imaginary):
        """Radix-2 decimation in time, of fft_length / 2 points."""
        points = real.shape[1]
        order = np.zeros(1, np.int64)
        while len(order) < points:
            order = np.concatenate([2 * order, 2 * order + 1])
        real, imaginary = real[:, order], imaginary[:, order]
        span = 1
        while span < points:
            cosine, sine = self.twiddles[::self.fft_length // (2 * span)].T
            real, imaginary = (part.reshape(len(part), -1, 2, span) for part in (real, imaginary))
            turned = _product(real[:, :, 1], imaginary[:, :, 1], cosine, sine)
            real, imaginary = (np.stack([part[:, :, 0] + turn, part[:, :, 0] - turn], axis=2).reshape(len(part), points)
                               for part, turn in zip((real, imaginary), turned))
            span *= 2
        return real, imaginary

    @property
    def multiplications(self) -> int:
        """Multiplications of one frame."""
        half = self.fft_length // 2
        transform = 2 * half * (half.bit_length() - 1) + 4 * (half - 1)
        return int(2 * self.window_length + transform + 2 * (half + 1) + self.filter_sizes.sum()
                   + 2 * len(self.multipliers))


def log2(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """log2 of int64 values of at least 1, with LOG_BITS fraction bits.

    Args:
        values: Of any shape.
        table: `FixedPointLogMel.logarithms`.
    """
    exponent, rest = np.zeros_like(values), values.copy()
    for step in (32, 16, 8, 4, 2, 1):
        larger = rest >> step > 0
        exponent += step * larger
        rest = np.where(larger, rest >> step, rest)
    fraction = np.where(exponent > LOG_BITS, values >> np.maximum(exponent - LOG_BITS, 0),
                        values << np.maximum(LOG_BITS - exponent, 0)) & ((1 << LOG_BITS) - 1)
    inside = LOG_BITS - (LOG_SEGMENTS.bit_length() - 1)
    segment, position = fraction >> inside, fraction & ((1 << inside) - 1)
    between = _rounded((table[segment + 1] - table[segment]) * position, inside)
    return (exponent << LOG_BITS) + table[segment] + between


def _product(real, imaginary, cosine, sine):
    return (_rounded(real * cosine - imaginary * sine, TWIDDLE_BITS),
            _rounded(real * sine + imaginary * cosine, TWIDDLE_BITS))


def _rounded(values, shift):
    return (values + (1 << (shift - 1))) >> shift


def _integers(values):
    rounded = np.rint(np.asarray(values, np.float64)).astype(np.int64)
    return int(rounded) if rounded.ndim == 0 else rounded
