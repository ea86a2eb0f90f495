"""The features of ESPnet's speech recognisers (`DefaultFrontend` of espnet2, Apache-2.0)."""

import keras
from keras import ops

from speechzoo.frontends.mirroring import mirror_ends
from speechzoo.frontends.mel_frontend import MelFrontend
from speechzoo.layers.masking import sequence_mask

_FLOOR = 1e-10  # smallest mel energy before the logarithm


@keras.saving.register_keras_serializable(package="speechzoo")
class ESPnetLogMel(MelFrontend):
    """Waveform -> log-mel features as published ESPnet encoders expect them.

    A frame stands at every hop, the end of the last whole one included, and sees half a window to either side; the
    audio is mirrored at both of its ends. The logarithm is the natural one.

    Args:
        num_mel_bins: Mel bins, from 0 Hz to half of the sample rate.
        sample_rate: Hz.
        window_seconds: Length of the Hann window; at most 512 samples.
        hop_seconds: Step between frames.
        normalization: `stored`, by the weights `mean` and `deviation` of each bin, which come with published weights;
            or `utterance`: the mean of each bin over the utterance is subtracted.
        **kwargs: The masks of `SpecAugment`, see `Frontend`.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1].
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.

    Returns:
        Features (batch, frames, mel bins), zero in the padding, and int32 (batch,) frames (None without audio_length).
        There are `samples // hop + 1` frames.

    Raises:
        ValueError: Another normalization.

    Example:
        >>> features, lengths = ESPnetLogMel()(ops.zeros((1, 16000)), ops.array([16000]))
        >>> features.shape
        TensorShape([1, 126, 80])
    """

    def __init__(self, num_mel_bins: int = 80, sample_rate: int = 16000, window_seconds: float = 0.032,
                 hop_seconds: float = 0.008, normalization: str = "stored", **kwargs):
        if normalization not in ("stored", "utterance"):
            raise ValueError(f"espnet_log_mel: normalization '{normalization}' is not stored or utterance")
        self.window_seconds = window_seconds
        self.hop_seconds = hop_seconds
        self.normalization = normalization
        super().__init__(num_mel_bins, sample_rate, **kwargs)
        self.window_length = self.mel.window_length

    def make_mel(self):
        return super().make_mel(window_seconds=self.window_seconds, hop_seconds=self.hop_seconds, fft_length=512,
                                floor=_FLOOR)

    def build(self, *_):
        super().build()
        if self.normalization == "stored":
            self.mean, self.deviation = (
                self.add_weight(name=name, shape=(self.num_mel_bins,), initializer=initializer, trainable=False)
                for name, initializer in (("mean", "zeros"), ("deviation", "ones")))

    def call(self, audio, audio_length=None, training=False):
        """Audio (batch, samples) -> features (batch, frames, mel bins) and int32 (batch,) frames, or None for these."""
        num_frames = self.output_length(ops.shape(audio)[1])
        mirrored = mirror_ends(audio, audio_length, self.window_length // 2)
        features = self.mel.log_energies(mirrored)[:, :num_frames]
        lengths = None if audio_length is None else ops.cast(self.output_length(audio_length), "int32")
        mask = sequence_mask(lengths, features)
        if self.normalization == "stored":
            features = (features - self.mean) / self.deviation
        else:
            valid = ops.ones_like(features[..., :1]) if mask is None else mask
            features = features - (ops.sum(features * valid, axis=1, keepdims=True)
                                   / ops.sum(valid, axis=1, keepdims=True))
        features = self.spec_augment(features, lengths, training=training)
        return (features if mask is None else features * mask), lengths

    def output_length(self, samples: int) -> int:
        return samples // self.hop_length + 1

    def get_config(self):
        names = "window_seconds", "hop_seconds", "normalization"
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
