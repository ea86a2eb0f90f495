"""A learnable front end: filters that train, and per-channel energy normalisation behind them."""

import math

import keras
import numpy as np
from keras import ops

from speechzoo.audio.mel_scale import hertz_to_mel, mel_to_hertz
from speechzoo.frontends.log_mel import LogMel
from speechzoo.frontends.pcen import PCEN

_NARROWEST = 20.0  # Hz, standard deviation of a filter


@keras.saving.register_keras_serializable(package="speechzoo")
class Leaf(PCEN):
    """Waveform -> energies of Gabor filters whose centres and widths are learnt, normalised as in `PCEN`.

    A Gabor filter is a Gaussian around its centre frequency. LEAF convolves the waveform with such filters, at every
    sample; here they weigh the power spectrum of each frame, with the same two numbers per filter at a fraction of the
    cost. What stands for LEAF's learnt low-pass filters is the window of the Fourier transform, which isn't learnt.

    Reference: Zeghidour et al. 2021, https://arxiv.org/abs/2101.08596.

    Args:
        num_mel_bins: Filters; they begin as mel filters of 0 Hz to half of the sample rate.
        sample_rate: Hz.
        **kwargs: See `PCEN`; `trained` is for the filters, too.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1].
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.
        state: `StreamState` of a step in a stream, whose samples are whole hops; causal front ends only.

    Returns:
        Features (batch, frames, filters), zero in the padding, and int32 (batch,) frames (None without audio_length).

    Example:
        >>> features, lengths = Leaf()(ops.zeros((1, 16000)), ops.array([16000]))
        >>> features.shape
        TensorShape([1, 100, 40])
    """

    def make_mel(self):
        return super().make_mel(GaborMel, mel_scale="htk")

    def build(self, *_):
        self.mel.trainable = self.trained
        super().build()


@keras.saving.register_keras_serializable(package="speechzoo")
class GaborMel(LogMel):
    """Mel energies by Gaussian filters of area 1 that train.

    Attributes:
        position: Weight (filters,): centres on the mel scale (`htk`), in steps from one mel filter to the next.
        log_width: Weight (filters,): logarithms of what the standard deviations are above 20 Hz, in Hz.
    """

    def build(self, *_):
        super().build()
        self.mel_step = float(hertz_to_mel(self.sample_rate / 2, "htk")) / (self.num_mel_bins + 1)
        edges = mel_to_hertz(np.arange(self.num_mel_bins + 2) * self.mel_step, "htk")
        # A triangle is half as high half-way to its edges, a Gaussian sqrt(2 ln 2) deviations from its middle.
        deviations = (edges[2:] - edges[:-2]) / 4 / np.sqrt(2 * np.log(2))
        for name, values in (("position", np.arange(1, self.num_mel_bins + 1)),
                             ("log_width", np.log(np.maximum(deviations - _NARROWEST, 1.0)))):
            weight = self.add_weight(name=name, shape=values.shape)
            weight.assign(values)
            setattr(self, name, weight)

    def current_filters(self):
        hertz = np.linspace(0.0, self.sample_rate / 2, self.fft_length // 2 + 1).astype(np.float32)[:, None]
        centre = 700.0 * (ops.exp(self.position * (self.mel_step * math.log(10.0) / 2595.0)) - 1.0)
        deviation = _NARROWEST + ops.exp(self.log_width)
        return ops.exp(-0.5 * ops.square((hertz - centre) / deviation)) / (deviation * math.sqrt(2 * math.pi))
