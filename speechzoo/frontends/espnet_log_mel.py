"""The features of ESPnet's speech recognisers (`DefaultFrontend` of espnet2, Apache-2.0)."""

import keras
from keras import ops

from speechzoo.frontends.frontend import Frontend
from speechzoo.frontends.log_mel import LogMel
from speechzoo.frontends.mirroring import mirror_ends
from speechzoo.layers.masking import sequence_mask

_FLOOR = 1e-10  # smallest mel energy before the logarithm


@keras.saving.register_keras_serializable(package="speechzoo")
class ESPnetLogMel(Frontend):
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
        super().__init__(**kwargs)
        if normalization not in ("stored", "utterance"):
            raise ValueError(f"espnet_log_mel: normalization '{normalization}' is not stored or utterance")
        self.num_mel_bins = self.num_features = num_mel_bins
        self.sample_rate = sample_rate
        self.window_seconds = window_seconds
        self.hop_seconds = hop_seconds
        self.normalization = normalization
        self.log_mel = LogMel(num_mel_bins, sample_rate, window_seconds, hop_seconds, minimum_hertz=0.0,
                              mel_scale="slaney", preemphasis=0.0, floor=_FLOOR, normalization="none", name="log_mel")
        self.window_length = self.log_mel.window_length
        self.hop_length = self.log_mel.hop_length
        self.frame_seconds = self.log_mel.frame_seconds
        self.spec_augment = self.make_spec_augment()

    def build(self, *_):
        self.log_mel.build(None)
        self.spec_augment.build(None)
        if self.normalization == "stored":
            self.mean, self.deviation = (
                self.add_weight(name=name, shape=(self.num_mel_bins,), initializer=initializer, trainable=False)
                for name, initializer in (("mean", "zeros"), ("deviation", "ones")))

    def call(self, audio, audio_length=None, training=False):
        """Audio (batch, samples) -> features (batch, frames, mel bins) and int32 (batch,) frames, or None for these."""
        num_frames = self.output_length(ops.shape(audio)[1])
        mirrored = mirror_ends(audio, audio_length, self.window_length // 2)
        features = self.log_mel.log_energies(mirrored)[:, :num_frames]
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
        names = "num_mel_bins", "sample_rate", "window_seconds", "hop_seconds", "normalization"
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
