"""How far enhanced speech is from the clean: losses and metrics of gains by band."""

import keras
import numpy as np
from keras import ops

from speechzoo.enhancement.bands import band_weights
from speechzoo.enhancement.overlap_add import analysis_window

# Exponent of the magnitudes, and weight of the distance with phases beside the one without (Braun and Tashev 2021,
# https://arxiv.org/abs/2009.12286, which found both best for recognisers and ears).
COMPRESSION, COMPLEX_WEIGHT = 0.3, 0.3
_TINY = 1e-8


def spectrum(audio, hop_length: int):
    """Spectrum of the windows that end with each hop, as `enhancement.overlap_add.OverlapAdd` has it.

    Args:
        audio: float32 (batch, samples).
        hop_length: Samples; windows have twice as many.

    Returns:
        Real and imaginary part, float32 (batch, samples // hop_length, hop_length + 1) each.
    """
    batch, samples = ops.shape(audio)
    count = samples // hop_length
    hops = ops.reshape(audio[:, :count * hop_length], (batch, count, hop_length))
    before = ops.pad(hops, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    return ops.rfft(ops.concatenate([before, hops], axis=-1) * analysis_window(hop_length), 2 * hop_length)


def waveform(real, imaginary, hop_length: int):
    """Overlap-add: the parts of `spectrum`, (batch, hops, bins) each -> float32 (batch, (hops - 1) x hop_length).

    The samples of the last hop are left out: half of their windows is yet to come.
    """
    frames = ops.irfft((real, imaginary), 2 * hop_length) * analysis_window(hop_length)
    added = frames[:, 1:, :hop_length] + frames[:, :-1, hop_length:]
    batch, count, _ = ops.shape(added)
    return ops.reshape(added, (batch, count * hop_length))


def si_sdr(clean, estimate):
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019, https://arxiv.org/abs/1811.02508).

    Args:
        clean: float32 (batch, samples), s.
        estimate: The same shape.

    Returns:
        float32 (batch,), dB: 10 log10(|a s|^2 / |a s - estimate|^2) with a = <estimate, s> / |s|^2.
    """
    energy = ops.sum(ops.square(clean), axis=-1, keepdims=True)
    target = ops.sum(clean * estimate, axis=-1, keepdims=True) / (energy + _TINY) * clean
    ratio = ((ops.sum(ops.square(target), axis=-1) + _TINY)
             / (ops.sum(ops.square(target - estimate), axis=-1) + _TINY))
    return 10.0 / np.log(10.0) * ops.log(ratio)


class _Spectra:
    """Mixin: what the pairs of samples and the gains of a batch are in the spectrum.

    Args:
        sample_rate: Hz.
        hop_length: Samples of a hop.
        subsampling: Hops that a frame of gains stands for.
    """

    def set_timing(self, sample_rate, hop_length, subsampling):
        self.sample_rate, self.hop_length, self.subsampling = sample_rate, hop_length, subsampling

    def spectra(self, y_true, y_pred):
        """((real, imaginary) of the clean, of the noisy, and gains), each (batch, hops, bins)."""
        clean, noisy = (spectrum(y_true[:, number], self.hop_length) for number in (0, 1))
        weights = band_weights(y_pred.shape[-1], self.hop_length + 1, self.sample_rate)
        gains = ops.repeat(ops.matmul(y_pred, weights), self.subsampling, axis=1)[:, :ops.shape(clean[0])[1]]
        count = ops.shape(gains)[1]
        return *(tuple(part[:, :count] for part in parts) for parts in (clean, noisy)), gains

    def ratios(self, y_true, y_pred):
        """SI-SDR of the enhanced and of the noisy samples, float32 (batch,), dB each."""
        clean, noisy, gains = self.spectra(y_true, y_pred)
        clean, noisy, enhanced = (waveform(*parts, self.hop_length) for parts in (
            clean, noisy, tuple(gains * part for part in noisy)))
        return si_sdr(clean, enhanced), si_sdr(clean, noisy)

    def timing(self):
        """The arguments, by name."""
        return {"sample_rate": self.sample_rate, "hop_length": self.hop_length, "subsampling": self.subsampling}


@keras.saving.register_keras_serializable(package="speechzoo")
class EnhancementLoss(_Spectra, keras.losses.Loss):
    """Distance of enhanced from clean speech.

    - `compressed`: mean over hops and bins of 0.3 x squared distance of the spectra and 0.7 x that of their magnitudes,
      both with magnitudes to the power of 0.3, of speech scaled so that the mean power of a bin is one where anything
      sounds (Braun and Tashev 2021, https://arxiv.org/abs/2009.12286).
    - `si_sdr`: the negative of `si_sdr`, dB.

    Args:
        kind: `compressed` or `si_sdr`.
        sample_rate: Hz.
        hop_length: Samples of a hop of the spectrum.
        subsampling: Hops that a frame of gains stands for.

    Call arguments:
        y_true: float32 (batch, 2, samples): clean speech, and the same in noise.
        y_pred: Gains, float32 (batch, frames, bands).

    Raises:
        ValueError: Another kind.
    """

    def __init__(self, kind: str = "compressed", sample_rate: int = 16000, hop_length: int = 160, subsampling: int = 1,
                 name="enhancement_loss", reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})
        if kind not in ("compressed", "si_sdr"):
            raise ValueError(f"enhancement: loss '{kind}' is not one of compressed, si_sdr")
        self.kind = kind
        self.set_timing(sample_rate, hop_length, subsampling)

    def call(self, y_true, y_pred):
        """Pairs of samples (batch, 2, samples), gains (batch, frames, bands) -> float32 (batch,)."""
        if self.kind == "si_sdr":
            return -self.ratios(y_true, y_pred)[0]
        clean, noisy, gains = self.spectra(y_true, y_pred)
        power, noisy_power = (ops.square(real) + ops.square(imaginary) for real, imaginary in (clean, noisy))
        # Hops in which anything sounds: not those of the padding.
        heard = ops.cast(ops.max(noisy_power, axis=-1, keepdims=True) > 0, "float32")
        count = ops.sum(heard, axis=(1, 2)) + _TINY
        scale = ops.sum(power, axis=(1, 2)) / count / float(self.hop_length + 1) + _TINY
        power, noisy_power = (each / scale[:, None, None] + _TINY for each in (power, noisy_power))
        cosine = sum(one * two for one, two in zip(clean, noisy)) / scale[:, None, None] / ops.sqrt(power * noisy_power)
        target = power ** (COMPRESSION / 2)
        estimate = (gains + 1e-4) ** COMPRESSION * noisy_power ** (COMPRESSION / 2)
        magnitudes = ops.square(target - estimate)
        spectra = magnitudes + 2 * target * estimate * (1 - cosine)
        distance = COMPLEX_WEIGHT * spectra + (1 - COMPLEX_WEIGHT) * magnitudes
        return ops.sum(distance * heard, axis=(1, 2)) / count / float(self.hop_length + 1)

    def get_config(self):
        return {**super().get_config(), "kind": self.kind, **self.timing()}


@keras.saving.register_keras_serializable(package="speechzoo")
class SISDR(_Spectra, keras.metrics.Mean):
    """Mean scale-invariant signal-to-distortion ratio of enhanced speech, dB; arguments as `EnhancementLoss`."""

    def __init__(self, sample_rate: int = 16000, hop_length: int = 160, subsampling: int = 1, name="si_sdr", **kwargs):
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.set_timing(sample_rate, hop_length, subsampling)

    def value(self, enhanced, noisy):
        """What is averaged, of the ratios of enhanced and noisy speech."""
        return enhanced

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(self.value(*self.ratios(y_true, y_pred)), sample_weight)

    def get_config(self):
        return {**super().get_config(), **self.timing()}


@keras.saving.register_keras_serializable(package="speechzoo")
class SISDRGain(SISDR):
    """By how much enhancement raises the SI-SDR on average, dB; arguments as `EnhancementLoss`."""

    def __init__(self, sample_rate: int = 16000, hop_length: int = 160, subsampling: int = 1, name="si_sdr_gain",
                 **kwargs):
        super().__init__(sample_rate, hop_length, subsampling, name, **kwargs)

    def value(self, enhanced, noisy):
        return enhanced - noisy
