"""The features of Resemblyzer's speaker encoder (`resemblyzer/audio.py` of Resemblyzer 0.1.4)."""

import keras
from keras import ops

from speechzoo.frontends.mel_frontend import MelFrontend
from speechzoo.layers.masking import sequence_mask

_LOUDNESS = 10.0 ** (-30.0 / 20.0)  # root mean square that quiet recordings get: 30 dB below full scale
_SILENCE = 1e-5  # root mean square below which there is nothing but the last bit of 16
_BEHIND = 3  # frames from the one in the middle of the last hop's end on


@keras.saving.register_keras_serializable(package="speechzoo")
class GE2EMel(MelFrontend):
    """Waveform -> mel energies as Resemblyzer's speaker encoder expects them: no logarithm, so loudness counts.

    A recording that is quieter than 30 dB below full scale is made as loud as that. A frame stands at every hop of
    10 ms and sees 12.5 ms to either side; there are zeros around the audio. The loudness is that of the whole
    recording, so these features can't be computed in a stream.

    Resemblyzer's `preprocess_wav` also cuts long silences out, with the voice activity detector of WebRTC. Nothing is
    cut here.

    Args:
        num_mel_bins: Mel bins, from 0 Hz to half of the sample rate (Slaney's, as librosa's).
        sample_rate: Hz.
        **kwargs: The masks of `SpecAugment`, see `Frontend`.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1].
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.

    Returns:
        Features (batch, frames, mel bins), zero in the padding, and int32 (batch,) frames (None without audio_length).
        There are `samples // hop + 3` frames: all that see a sample.

    Example:
        >>> features, lengths = GE2EMel()(ops.zeros((1, 16000)), ops.array([16000]))
        >>> features.shape
        TensorShape([1, 103, 40])
    """

    def __init__(self, num_mel_bins: int = 40, sample_rate: int = 16000, **kwargs):
        super().__init__(num_mel_bins, sample_rate, **kwargs)

    def call(self, audio, audio_length=None, training=False):
        """Audio (batch, samples) -> features (batch, frames, mel bins) and int32 (batch,) frames, or None for these."""
        num_frames = ops.shape(audio)[1] // self.hop_length + _BEHIND
        mask = sequence_mask(audio_length, audio)
        audio = audio if mask is None else audio * mask[..., 0]
        count = ops.shape(audio)[1] if audio_length is None else audio_length
        power = ops.sum(ops.square(audio), axis=1) / ops.maximum(ops.cast(count, "float32"), 1.0)
        gain = ops.maximum(_LOUDNESS / ops.maximum(ops.sqrt(power), _SILENCE), 1.0)
        around = ((0, 0), (self.window_length // 2, (_BEHIND + 1) * self.hop_length))
        features = self.mel.energies(ops.pad(audio * gain[:, None], around))[:, :num_frames]
        lengths = None if audio_length is None else ops.cast(audio_length // self.hop_length + _BEHIND, "int32")
        return self.spec_augment(features, lengths, training=training), lengths

    def output_length(self, samples: int) -> int:
        return samples // self.hop_length + _BEHIND
