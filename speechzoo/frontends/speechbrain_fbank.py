"""The features of SpeechBrain's speaker encoders (`speechbrain/processing/features.py`)."""

import math

import keras
import numpy as np
from keras import ops

from speechzoo.audio.mel_scale import hertz_to_mel, mel_to_hertz
from speechzoo.frontends.log_mel import LogMel
from speechzoo.frontends.mel_frontend import MelFrontend
from speechzoo.layers.masking import sequence_mask

_FLOOR = 1e-10  # smallest mel energy before the logarithm
_RANGE = 80.0  # of the features below the utterance's greatest, dB
_LOWEST = -1e9  # below every energy in dB


@keras.saving.register_keras_serializable(package="speechzoo")
class SpeechBrainFbank(MelFrontend):
    """Waveform -> log-mel features as published encoders of SpeechBrain expect them: `Fbank`, and the mean taken away.

    A frame stands at every hop of 10 ms and sees 12.5 ms to either side, with zeros around the audio. The mel energies
    in dB are cut off 80 dB below the utterance's greatest; then each mel bin's mean over the utterance is taken away
    (`InputNormalization` with `norm_type: sentence, std_norm: False`). Both are those of the utterance alone, whatever
    stands behind it in a batch; because of them these features can't be computed in a stream.

    Args:
        num_mel_bins: Mel bins, from 0 Hz to half of the sample rate.
        sample_rate: Hz.
        **kwargs: The masks of `SpecAugment`, see `Frontend`.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1].
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.

    Returns:
        Features (batch, frames, mel bins), zero in the padding, and int32 (batch,) frames (None without audio_length).
        There are `samples // hop + 1` frames.

    Example:
        >>> features, lengths = SpeechBrainFbank()(ops.zeros((1, 16000)), ops.array([16000]))
        >>> features.shape
        TensorShape([1, 101, 80])
    """

    def __init__(self, num_mel_bins: int = 80, sample_rate: int = 16000, **kwargs):
        super().__init__(num_mel_bins, sample_rate, **kwargs)

    def make_mel(self):
        return super().make_mel(Fbank, mel_scale="htk", floor=_FLOOR)

    def call(self, audio, audio_length=None, training=False):
        """Audio (batch, samples) -> features (batch, frames, mel bins) and int32 (batch,) frames, or None for these."""
        num_frames = ops.shape(audio)[1] // self.hop_length + 1
        mask = sequence_mask(audio_length, audio)
        audio = audio if mask is None else audio * mask[..., 0]
        audio = ops.pad(audio, ((0, 0), (self.window_length // 2, 2 * self.hop_length)))
        energies = self.mel.log_energies(audio)[:, :num_frames] * (10.0 / math.log(10.0))
        lengths = None if audio_length is None else ops.cast(audio_length // self.hop_length + 1, "int32")
        mask = sequence_mask(lengths, energies)
        unpadded = energies if mask is None else energies * mask + (1.0 - mask) * _LOWEST
        energies = ops.maximum(energies, ops.max(unpadded, axis=(1, 2), keepdims=True) - _RANGE)
        mean = ops.mean(energies, axis=1, keepdims=True) if mask is None else (
            ops.sum(energies * mask, axis=1, keepdims=True) / ops.sum(mask, axis=1, keepdims=True))
        features = self.spec_augment(energies - mean, lengths, training=training)
        return (features if mask is None else features * mask), lengths

    def output_length(self, samples: int) -> int:
        return samples // self.hop_length + 1


@keras.saving.register_keras_serializable(package="speechzoo")
class Fbank(LogMel):
    """Log-mel energies under Hamming windows and filters that are as wide above their peak as below it."""

    def make_window(self):
        return 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(self.window_length) / self.window_length)

    def make_filters(self):
        edges = mel_to_hertz(np.linspace(*hertz_to_mel([0.0, self.sample_rate / 2], "htk"), self.num_mel_bins + 2),
                             "htk")
        bins = np.linspace(0.0, self.sample_rate / 2, self.fft_length // 2 + 1)
        distance = np.abs(bins[:, None] - edges[None, 1:-1]) / (edges[1:-1] - edges[:-2])
        return np.maximum(0.0, 1.0 - distance).astype(np.float32)
