"""The features of OpenAI's Whisper (Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 2.2)."""

import math

import keras
from keras import ops

from speechzoo.frontends.mirroring import mirror_ends
from speechzoo.frontends.mel_frontend import MelFrontend
from speechzoo.layers.masking import sequence_mask

_FLOOR = 1e-10  # smallest mel energy before the logarithm
_RANGE = 8.0  # of the features below the utterance's greatest, powers of ten
_LOWEST = -1e9  # below every logarithm of an energy


@keras.saving.register_keras_serializable(package="speechzoo")
class WhisperLogMel(MelFrontend):
    """Waveform -> log-mel features as published Whisper encoders expect them.

    A frame stands at every hop of 10 ms and sees 12.5 ms to either side; the audio is mirrored at both of its ends.
    The logarithm (base 10) of 80 mel energies is cut off 8 below the utterance's maximum, then shifted and scaled:
    (max(x, maximum - 8) + 4) / 4. The maximum is that of the utterance alone, whatever stands behind it in a batch;
    because of it these features can't be computed in a stream.

    Whisper itself completes every recording with zeros to 30 s before that. Nothing is completed here, unless
    `silence_seconds` says how much: a published decoder that doesn't see the silence behind a recording finds no end.

    Args:
        num_mel_bins: Mel bins, from 0 Hz to half of the sample rate; published encoders have 80.
        sample_rate: Hz.
        silence_seconds: Zeros behind each recording, seconds, which count as part of it. Heads whose labels have times
            would stretch these over the silence, too: it is for models without such heads.
        **kwargs: The masks of `SpecAugment`, see `Frontend`.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1].
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.

    Returns:
        Features (batch, frames, mel bins), zero in the padding, and int32 (batch,) frames (None without audio_length).
        There are `samples // hop` frames, those of the silence included: Whisper drops the one behind the last hop.

    Example:
        >>> features, lengths = WhisperLogMel()(ops.zeros((1, 16000)), ops.array([16000]))
        >>> features.shape
        TensorShape([1, 100, 80])
    """

    def __init__(self, num_mel_bins: int = 80, sample_rate: int = 16000, silence_seconds: float = 0.0, **kwargs):
        super().__init__(num_mel_bins, sample_rate, **kwargs)
        self.silence_seconds = silence_seconds
        self.silence_samples = round(silence_seconds * sample_rate)

    def make_mel(self):
        return super().make_mel(floor=_FLOOR)

    def call(self, audio, audio_length=None, training=False):
        """Audio (batch, samples) -> features (batch, frames, mel bins) and int32 (batch,) frames, or None for these."""
        if self.silence_samples:
            audio, audio_length = self._with_silence(audio, audio_length)
        num_frames = ops.shape(audio)[1] // self.hop_length
        mirrored = mirror_ends(audio, audio_length, self.window_length // 2)
        energies = self.mel.log_energies(mirrored)[:, :num_frames]
        energies = energies / math.log(10.0)
        lengths = None if audio_length is None else ops.cast(audio_length // self.hop_length, "int32")
        mask = sequence_mask(lengths, energies)
        unpadded = energies if mask is None else energies * mask + (1.0 - mask) * _LOWEST
        maximum = ops.max(unpadded, axis=(1, 2), keepdims=True)
        features = (ops.maximum(energies, maximum - _RANGE) + 4.0) / 4.0
        features = self.spec_augment(features, lengths, training=training)
        return (features if mask is None else features * mask), lengths

    def _with_silence(self, audio, audio_length):
        """The audio with the silence behind it, in place of whatever pads it, and the lengths of both together."""
        mask = sequence_mask(audio_length, audio)
        audio = ops.pad(audio if mask is None else audio * mask[..., 0], ((0, 0), (0, self.silence_samples)))
        return audio, None if audio_length is None else ops.cast(audio_length, "int32") + self.silence_samples

    def output_length(self, samples: int) -> int:
        return (samples + self.silence_samples) // self.hop_length

    def get_config(self):
        return {**super().get_config(), "silence_seconds": self.silence_seconds}
