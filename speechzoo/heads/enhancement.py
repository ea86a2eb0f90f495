"""Gains that take noise out of speech: a mask for the spectrum."""

import keras
import numpy as np
from keras import ops

from speechzoo.heads.enhancement_loss import EnhancementLoss, SISDR, SISDRGain
from speechzoo.heads.head import Head
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.quantizable import FrameDense

# What a source's `default_labels` says of recordings that hold speech and nothing else.
CLEAN = "clean"


@keras.saving.register_keras_serializable(package="speechzoo")
class EnhancementHead(Head):
    """A gain from 0 to 1 for each band at each frame (a magnitude mask, as in RNNoise: Valin 2018).

    It learns from clean speech, which the augmentation mixes with noise: a source with
    `default_labels: {enhancement: clean}`. The target is the recording as it was mixed, but without the noise; rooms,
    devices and levels stay. `speechzoo.enhancement.Enhancer` applies the gains.

    Args:
        bands: Bands, evenly apart on the mel scale (`enhancement.bands.band_weights`).
        loss: `compressed` or `si_sdr`, see `EnhancementLoss`.
        dropout: Dropout rate of the frames that enter.
        sample_rate: Hz.
        hop_length: Samples of a hop of the spectrum: that of the front end, which the model fills in.
        subsampling: Hops that a frame stands for; the model fills it in.

    Returns:
        Gains (batch, frames, bands), zero in the padding.

    Raises:
        ValueError: A loss that isn't there, or fewer than two bands.

    Example:
        >>> EnhancementHead(hop_length=256, name="enhancement").encode("clean").shape
        (2, 0)
    """

    target_shape = (2, None)
    target_dtype = "float32"
    zero_padding = True
    metrics_in_training = False
    clean_target = True

    def __init__(self, bands: int = 80, loss: str = "compressed", dropout: float = 0.0, sample_rate: int = 16000,
                 hop_length: int = 160, subsampling: int = 1, **kwargs):
        super().__init__(**kwargs)
        if bands < 2:
            raise ValueError(f"head '{self.name}': bands must be 2 or more, got {bands}")
        self.bands = bands
        self.loss_name = loss
        self.dropout_rate = dropout
        self.set_timing(sample_rate, hop_length, subsampling)
        self.loss()  # which knows what it can be
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.gains = FrameDense(bands, dtype=self.dtype_policy, name="gains")

    def set_timing(self, sample_rate, hop_length, subsampling):
        self.sample_rate, self.hop_length, self.subsampling = sample_rate, hop_length, subsampling

    def build(self, frames_shape, *_):
        self.gains.build((None, None, frames_shape[-1]))

    def call(self, frames, lengths=None, training=False, state=None):
        """Frames (batch, frames, channels) -> gains (batch, frames, bands), zero in the padding."""
        gains = ops.sigmoid(self.gains(self.dropout(frames, training=training)))
        mask = sequence_mask(lengths, gains)
        return gains if mask is None else gains * mask

    def encode(self, value) -> np.ndarray:
        """`clean`, whose samples the pipeline fills in; or (2, samples), clean speech and the same in noise."""
        if isinstance(value, str):
            if value != CLEAN:
                raise ValueError(f"{self.label} '{value}' of head '{self.name}': only '{CLEAN}' speech can be learnt "
                                 "from")
            return np.zeros((2, 0), np.float32)
        pair = np.asarray(value, np.float32)
        if pair.ndim != 2 or len(pair) != 2:
            raise ValueError(f"{self.label} of head '{self.name}': expected (2, samples), clean speech and the same in "
                             f"noise, got {pair.shape}")
        return pair

    def loss(self):
        return EnhancementLoss(self.loss_name, self.sample_rate, self.hop_length, self.subsampling,
                               name=f"{self.name}_loss")

    def metrics_for_fit(self):
        timing = self.sample_rate, self.hop_length, self.subsampling
        return [SISDR(*timing, name=f"{self.name}_si_sdr"), SISDRGain(*timing, name=f"{self.name}_si_sdr_gain")]

    def spec(self):
        return {"type": "enhancement", "label": self.label, "bands": self.bands, "hop_length": self.hop_length,
                "subsampling": self.subsampling}

    def get_config(self):
        return {**super().get_config(), "bands": self.bands, "loss": self.loss_name, "dropout": self.dropout_rate,
                "sample_rate": self.sample_rate, "hop_length": self.hop_length, "subsampling": self.subsampling}
