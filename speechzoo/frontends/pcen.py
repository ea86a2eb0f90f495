"""Per-channel energy normalisation: a gain control and a root in place of the logarithm."""

import keras
import numpy as np
from keras import ops

from speechzoo.frontends.mel_frontend import MelFrontend
from speechzoo.layers.averaging import exponential_average
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.stream_state import part_of

_EPSILON = 1e-6  # energy beside which nothing is amplified


@keras.saving.register_keras_serializable(package="speechzoo")
class PCEN(MelFrontend):
    """Waveform -> mel energies E, each divided by what it was in the last moments: (E / (e + M)^a + d)^r - d^r.

    M is the exponential average of E over the past, so that loudness, distance and steady noise go, and what begins
    stays. The gain a, the bias d and the exponent r are learnt for each bin, unless `trained` says no.

    Reference: Wang et al. 2017, https://arxiv.org/abs/1607.05666, equations 1 and 2; the average of the first frames is
    that of what there is of them (`exponential_average`), where the paper begins with the first frame.

    Args:
        num_mel_bins: Mel bins, from 0 Hz to half of the sample rate.
        sample_rate: Hz.
        smoothing_seconds: Time constant of the average; the paper's is 0.4 s.
        gain: a before training.
        bias: d before training.
        exponent: r before training.
        trained: Whether these three train.
        causal: A frame looks back from the end of its hop: what streams need.
        **kwargs: The masks of `SpecAugment`, see `Frontend`.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1].
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.
        state: `StreamState` of a step in a stream, whose samples are whole hops; causal front ends only.

    Returns:
        Features (batch, frames, mel bins), zero in the padding, and int32 (batch,) frames (None without audio_length).

    Example:
        >>> features, lengths = PCEN()(ops.zeros((1, 16000)), ops.array([16000]))
        >>> features.shape
        TensorShape([1, 100, 40])
    """

    def __init__(self, num_mel_bins: int = 40, sample_rate: int = 16000, smoothing_seconds: float = 0.4,
                 gain: float = 0.98, bias: float = 2.0, exponent: float = 0.5, trained: bool = True,
                 causal: bool = False, **kwargs):
        self.causal = causal
        super().__init__(num_mel_bins, sample_rate, **kwargs)
        for option, value in (("smoothing_seconds", smoothing_seconds), ("gain", gain), ("bias", bias),
                              ("exponent", exponent)):
            if not value > 0:
                raise ValueError(f"{type(self).__name__.lower()}: {option} {value:g} must be above 0")
        self.smoothing_seconds = smoothing_seconds
        self.initial = {"gain": gain, "bias": bias, "exponent": exponent}
        self.trained = trained
        self.decay = float(np.exp(-self.frame_seconds / smoothing_seconds))

    def make_mel(self, *args, **options):
        return super().make_mel(*args, causal=self.causal, **options)

    def build(self, *_):
        super().build()
        # Logarithms of them are what trains, so that they stay above 0.
        self.logs = {name: self.add_weight(name=f"log_{name}", shape=(self.num_mel_bins,), trainable=self.trained,
                                           initializer=keras.initializers.Constant(float(np.log(value))))
                     for name, value in self.initial.items()}

    def call(self, audio, audio_length=None, training=False, state=None):
        """Audio (batch, samples) -> features (batch, frames, mel bins) and int32 (batch,) frames, or None for these."""
        energies = self.mel.energies(audio, audio_length, part_of(state, "mel"))
        average = exponential_average(energies, self.decay, state)
        gain, bias, exponent = (ops.exp(self.logs[name]) for name in ("gain", "bias", "exponent"))
        # Every power as an exponential of a logarithm: one operator that devices have.
        normalised = energies * ops.exp(-gain * ops.log(average + _EPSILON))
        features = ops.exp(exponent * ops.log(normalised + bias)) - ops.exp(exponent * ops.log(bias))
        lengths = None if audio_length is None else ops.cast(audio_length // self.hop_length, "int32")
        mask = sequence_mask(lengths, features)
        features = self.spec_augment(features, lengths, training=training)
        return (features if mask is None else features * mask), lengths

    def get_config(self):
        return {**super().get_config(), **self.initial, "smoothing_seconds": self.smoothing_seconds,
                "trained": self.trained, "causal": self.causal}
