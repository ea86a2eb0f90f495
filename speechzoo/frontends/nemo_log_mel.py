"""The features of NVIDIA NeMo's speech recognisers (`FilterbankFeatures` of nemo_toolkit, Apache-2.0)."""

import keras
from keras import ops

from speechzoo.frontends.mel_frontend import MelFrontend
from speechzoo.layers.masking import sequence_mask

_GUARD = 2.0 ** -24  # added to every mel energy before the logarithm
_EPSILON = 1e-5  # added to every deviation
_LEAST_VARIANCE = 1e-20  # beside _EPSILON nothing; a square root has no slope at 0


@keras.saving.register_keras_serializable(package="speechzoo")
class NeMoLogMel(MelFrontend):
    """Waveform -> log-mel features as published NeMo encoders expect them.

    A frame stands at every hop of 10 ms and sees 12.5 ms to either side, with zeros beyond both ends of the audio. Each
    mel bin has mean 0 and deviation 1 over the frames of the utterance alone, whatever stands behind it in a batch;
    because of that these features can't be computed in a stream.

    Args:
        num_mel_bins: Mel bins, from 0 Hz to half of the sample rate; published encoders have 80.
        sample_rate: Hz.
        **kwargs: The masks of `SpecAugment`, see `Frontend`.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1].
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.

    Returns:
        Features (batch, frames, mel bins), zero in the padding, and int32 (batch,) frames (None without audio_length).
        There are `samples // hop` frames, as in today's NeMo; before 2.0 it counted one more.

    Example:
        >>> features, lengths = NeMoLogMel()(ops.zeros((1, 16000)), ops.array([16000]))
        >>> features.shape
        TensorShape([1, 100, 80])
    """

    def __init__(self, num_mel_bins: int = 80, sample_rate: int = 16000, **kwargs):
        super().__init__(num_mel_bins, sample_rate, **kwargs)

    def make_mel(self):
        # A symmetric Hann window is a periodic one of one sample less, and a zero.
        return super().make_mel(window_seconds=(self.window_length - 1) / self.sample_rate, fft_length=512,
                                preemphasis=0.97)

    def call(self, audio, audio_length=None, training=False):
        """Audio (batch, samples) -> features (batch, frames, mel bins) and int32 (batch,) frames, or None for these."""
        num_frames, before = ops.shape(audio)[1] // self.hop_length, self.window_length // 2
        length = None if audio_length is None else ops.cast(audio_length, "int32") + before
        energies = self.mel.energies(ops.pad(audio, ((0, 0), (before, 0))), length)[:, :num_frames]
        lengths = None if audio_length is None else ops.cast(audio_length // self.hop_length, "int32")
        mask = sequence_mask(lengths, energies)
        valid = ops.ones_like(energies[..., :1]) if mask is None else mask
        features = self._normalized(ops.log(energies + _GUARD), valid)
        features = self.spec_augment(features, lengths, training=training)
        return (features if mask is None else features * mask), lengths

    def _normalized(self, features, valid):
        """Mean 0 and deviation 1 per bin over the valid frames; the deviation is that of a sample, over n - 1."""
        count = ops.sum(valid, axis=1, keepdims=True)
        centred = features - ops.sum(features * valid, axis=1, keepdims=True) / ops.maximum(count, 1.0)
        squares = ops.sum(ops.square(centred) * valid, axis=1, keepdims=True)
        variance = ops.maximum(squares / ops.maximum(count - 1.0, 1.0), _LEAST_VARIANCE)
        return centred / (ops.sqrt(variance) + _EPSILON)
