"""The waveform itself, for networks whose first layers are convolutions over samples."""

import keras
from keras import ops

from speechzoo.frontends.frontend import Frontend
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import utterance_mean

_EPSILON = 1e-7  # added to the variance of the samples, as transformers' Wav2Vec2FeatureExtractor does


@keras.saving.register_keras_serializable(package="speechzoo")
class Waveform(Frontend):
    """Waveform -> its windows: what the first convolution of a network over samples reads, one frame per stride.

    A backbone's dense layer on these frames is that convolution. With the published encoders of wav2vec 2.0 and HuBERT
    (`Wav2Vec2`) a frame is 10 samples, and one starts every 5.

    Args:
        window_length: Samples of a window: the width of the first convolution.
        hop_length: Samples between the beginnings of two windows: its stride; at most `window_length`.
        normalize: The samples of an utterance get mean 0 and variance 1 first. The statistics are those of the whole
            utterance, so these features can't be computed in a stream.
        sample_rate: Hz.
        **kwargs: The masks of `SpecAugment`, see `Frontend`; of time only, because a frame has no frequencies.

    Call arguments:
        audio: float32 (batch, samples) in [-1, 1].
        audio_length: int32 (batch,) samples that are not padding; None when nothing is padded.

    Returns:
        Features (batch, frames, window_length), zero in the padding, and int32 (batch,) frames (None without
        audio_length). There are `(samples - window_length) // hop_length + 1` frames: complete windows only.

    Raises:
        ValueError: A hop that is longer than the window, or masks of frequencies.

    Reference: Baevski et al. 2020, https://arxiv.org/abs/2006.11477, section 2.

    Example:
        >>> features, lengths = Waveform()(ops.zeros((1, 16000)), ops.array([16000]))
        >>> features.shape
        TensorShape([1, 3199, 10])
    """

    def __init__(self, window_length: int = 10, hop_length: int = 5, normalize: bool = True, sample_rate: int = 16000,
                 **kwargs):
        super().__init__(**kwargs)
        if not 0 < hop_length <= window_length:
            raise ValueError(f"waveform: hop_length {hop_length} is not 1 to {window_length}, the window_length")
        if kwargs.get("frequency_masks"):
            raise ValueError("waveform: a frame of samples has no frequencies to mask; set frequency_masks: 0")
        self.window_length = self.num_features = window_length
        self.hop_length = hop_length
        self.normalize = normalize
        self.sample_rate = sample_rate
        self.frame_seconds = hop_length / sample_rate
        self.spec_augment = self.make_spec_augment()

    def build(self, *_):
        self.spec_augment.build(None)

    def call(self, audio, audio_length=None, training=False):
        """Audio (batch, samples) -> features (batch, frames, window) and int32 (batch,) frames, or None for these."""
        if self.normalize:
            samples, mask = audio[..., None], sequence_mask(audio_length, audio)
            samples = samples - utterance_mean(samples, mask)
            audio = (samples * ops.rsqrt(utterance_mean(ops.square(samples), mask) + _EPSILON))[..., 0]
        features = self._windows(audio)
        lengths = None
        if audio_length is not None:
            lengths = ops.maximum(self._num_frames(ops.cast(audio_length, "int32")), 0)
        mask = sequence_mask(lengths, features)
        features = self.spec_augment(features, lengths, training=training)
        return (features if mask is None else features * mask), lengths

    def _windows(self, audio):
        """Overlapping windows, without gather: hops side by side."""
        batch, samples = ops.shape(audio)
        num_frames, hop = self._num_frames(samples), self.hop_length
        hops_per_window = -(-self.window_length // hop)
        num_hops = num_frames + hops_per_window - 1
        audio = ops.pad(audio, ((0, 0), (0, hops_per_window * hop - self.window_length)))
        hops = ops.reshape(ops.slice(audio, (0, 0), (batch, num_hops * hop)), (batch, num_hops, hop))
        windows = ops.concatenate([ops.slice(hops, (0, number, 0), (batch, num_frames, hop))
                                   for number in range(hops_per_window)], axis=-1)
        return ops.slice(windows, (0, 0, 0), (batch, num_frames, self.window_length))

    def _num_frames(self, samples):
        return (samples - self.window_length) // self.hop_length + 1

    def output_length(self, samples: int) -> int:
        return max(0, self._num_frames(samples))

    def get_config(self):
        return {**super().get_config(), "window_length": self.window_length, "hop_length": self.hop_length,
                "normalize": self.normalize, "sample_rate": self.sample_rate}
