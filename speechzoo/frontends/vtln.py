"""Vocal tract length normalisation: short and long throats made alike by a warp of the frequencies."""

import math

import keras
import numpy as np
from keras import ops

from speechzoo.audio.mel_scale import hertz_to_mel, mel_to_hertz
from speechzoo.frontends.mel_frontend import MelFrontend
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import utterance_mean

_FLOOR = 1e-6  # smallest mel energy before the logarithm
_HIDDEN = 32  # units of what finds the warp
_STRAIGHT = 0.8  # of the frequencies below half of the sample rate, the part that the warp multiplies


@keras.saving.register_keras_serializable(package="speechzoo")
class VTLN(MelFrontend):
    """Waveform -> log-mel features whose frequencies are warped, each utterance's by a factor of its own.

    A small network finds the factor from the mean and deviation of each mel bin over the utterance, and learns with the
    tasks behind it; it begins with 1. Mel bin b gets what stands at `factor` times its frequency; from 0.8 of the
    highest frequency on, the warp bends so that the highest stays where it is. Then each bin has mean 0 and
    deviation 1 over the utterance, whose end has to be known: these features can't be computed in a stream.

    While it trains, `perturbation` multiplies the factor with a random one, as if somebody else had said it.

    References: Lee & Rose 1998, https://doi.org/10.1109/89.650310 (there the factor is the likeliest of a grid);
    Jaitly & Hinton 2013, "Vocal tract length perturbation (VTLP) improves speech recognition".

    Args:
        num_mel_bins: Mel bins, from 0 Hz to half of the sample rate.
        sample_rate: Hz.
        warp: Greatest distance of the found factor from 1; 0 finds none.
        perturbation: Greatest distance of the random factor from 1; 0 draws none.
        seed: Seed of the random factors.
        **kwargs: The masks of `SpecAugment`, see `Frontend`.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1].
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.

    Returns:
        Features (batch, frames, mel bins), zero in the padding, and int32 (batch,) frames (None without audio_length).

    Raises:
        ValueError: A distance outside of 0 to 0.3.

    Example:
        >>> features, lengths = VTLN()(ops.zeros((1, 16000)), ops.array([16000]))
        >>> features.shape
        TensorShape([1, 100, 40])
    """

    def __init__(self, num_mel_bins: int = 40, sample_rate: int = 16000, warp: float = 0.15, perturbation: float = 0.1,
                 seed: int = 0, **kwargs):
        super().__init__(num_mel_bins, sample_rate, **kwargs)
        for option, value in (("warp", warp), ("perturbation", perturbation)):
            if not 0 <= value <= 0.3:
                raise ValueError(f"vtln: {option} {value:g} is not between 0 and 0.3")
        self.warp = warp
        self.perturbation = perturbation
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.hidden = keras.layers.Dense(_HIDDEN, activation="relu", name="hidden", dtype="float32") if warp else None
        self.factor = keras.layers.Dense(1, activation="tanh", kernel_initializer="zeros", name="factor",
                                         dtype="float32") if warp else None

    def make_mel(self):
        return super().make_mel(mel_scale="htk", floor=_FLOOR)

    def build(self, *_):
        super().build()
        self.mel_step = float(hertz_to_mel(self.sample_rate / 2, "htk")) / (self.num_mel_bins + 1)
        self.centres = mel_to_hertz(np.arange(1, self.num_mel_bins + 1) * self.mel_step, "htk").astype(np.float32)
        if self.warp:
            self.hidden.build((None, 2 * self.num_mel_bins))
            self.factor.build((None, _HIDDEN))

    def call(self, audio, audio_length=None, training=False):
        """Audio (batch, samples) -> features (batch, frames, mel bins) and int32 (batch,) frames, or None for these."""
        energies = self.mel.log_energies(audio, audio_length)
        lengths = None if audio_length is None else ops.cast(audio_length // self.hop_length, "int32")
        mask = sequence_mask(lengths, energies)
        factors = self.factors(*_moments(energies, mask))
        if training and self.perturbation:
            factors = factors * keras.random.uniform(ops.shape(factors), 1.0 - self.perturbation,
                                                     1.0 + self.perturbation, "float32", self.seed_generator)
        warped = ops.matmul(energies, self.warp_matrices(factors))
        mean, deviation = _moments(warped, mask)
        features = self.spec_augment((warped - mean) / deviation, lengths, training=training)
        return (features if mask is None else features * mask), lengths

    def factors(self, mean, deviation):
        """What the frequencies of each utterance are multiplied with: (batch, 1).

        Args:
            mean, deviation: Those of each mel bin's logarithm over the utterance, (batch, 1, mel bins).
        """
        if not self.warp:
            return ops.ones_like(mean[:, 0, :1])
        # How loud it is says nothing of the throat.
        shape = mean - ops.mean(mean, axis=-1, keepdims=True)
        heard = ops.concatenate([shape, deviation], axis=-1)[:, 0]
        return 1.0 + self.warp * self.factor(self.hidden(heard))

    def warp_matrices(self, factors):
        """What mel bins are multiplied with, for factors (batch, 1): (batch, mel bins from, mel bins to)."""
        highest = self.sample_rate / 2
        bend = _STRAIGHT * highest / ops.maximum(factors, 1.0)
        beyond = highest - (highest - factors * bend) / (highest - bend) * (highest - self.centres)
        hertz = ops.where(self.centres <= bend, factors * self.centres, beyond)
        mel = (2595.0 / math.log(10.0)) * ops.log(1.0 + hertz / 700.0)
        place = ops.clip(mel / self.mel_step - 1.0, 0.0, self.num_mel_bins - 1.0)
        bins = np.arange(self.num_mel_bins, dtype=np.float32)[None, :, None]
        return ops.maximum(0.0, 1.0 - ops.abs(bins - place[:, None, :]))

    def get_config(self):
        return {**super().get_config(), "warp": self.warp, "perturbation": self.perturbation, "seed": self.seed}


def _moments(features, valid):
    """Mean and standard deviation of each bin over the valid frames, or over all: (batch, 1, mel bins) each."""
    mean = utterance_mean(features, valid)
    return mean, ops.sqrt(utterance_mean(ops.square(features - mean), valid) + 1e-5)
