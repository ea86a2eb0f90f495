"""The LSTM of speaker encoders, over windows of an utterance."""

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.recurrence import FrameLSTM


@keras.saving.register_keras_serializable(package="speechzoo")
class GE2ELSTM(Backbone):
    """LSTM layers that read one window of the features after the other; a frame leaves for each window, at its end.

    Every window begins with an empty memory, as the parts of utterances that such networks are trained on: what it
    gives depends on nothing outside of it. A window that the features don't fill is completed with zeros.

    Exports to TFLite as float32 and dynamic-range int8, not full int8: TensorFlow's converter can't calibrate the loop
    over time.

    Reference: Wan et al. 2018, https://arxiv.org/abs/1710.10467, sections 2.1 and 3.2; the windows are those of
    Resemblyzer 0.1.4 (`VoiceEncoder.embed_utterance`): 1.6 s, 1.3 of them a second, the last at least three quarters
    full.

    Args:
        size: Units of every layer.
        num_blocks: LSTM layers.
        window_frames: Feature frames of a window.
        step_frames: From the beginning of a window to that of the next.
        minimum_frames: Of the features that must be left for another window; the first is always there. Three of the
            123 are those behind the last hop that the front end `ge2e_mel` gives.
        dropout: Dropout rate of the frames that leave.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.

    Returns:
        A list with the windows after each LSTM layer, and their number: (batch, windows, size).
    """

    def __init__(self, size: int = 256, num_blocks: int = 3, window_frames: int = 160, step_frames: int = 77,
                 minimum_frames: int = 123, dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("window_frames", window_frames), ("step_frames", step_frames),
                            ("minimum_frames", minimum_frames)):
            if value < 1:
                raise ValueError(f"ge2e_lstm: {name} {value} is not 1 or more")
        self.size = self.output_size = size
        self.num_blocks = num_blocks
        self.window_frames = window_frames
        self.step_frames = self.subsampling = step_frames
        self.minimum_frames = minimum_frames
        self.dropout_rate = dropout
        self.blocks = [FrameLSTM(size, reads_energies=i == 1, name=f"block_{i}") for i in range(1, num_blocks + 1)]
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build_stem(self, features_shape):
        return features_shape

    def build_block(self, number, shape):
        self.blocks[number - 1].build(shape)
        return None, None, self.size

    def output_lengths(self, lengths):
        if lengths is None:
            return None
        windows = (lengths - self.minimum_frames) // self.step_frames + 1
        return max(windows, 1) if isinstance(windows, int) else ops.maximum(windows, 1)

    def stem(self, features, lengths, training):
        mask = sequence_mask(lengths, features)
        features = features if mask is None else features * mask
        starts = ops.arange(self.output_lengths(ops.shape(features)[1]), dtype="int32")[:, None] * self.step_frames
        places = starts + ops.arange(self.window_frames, dtype="int32")[None]
        features = ops.pad(features, ((0, 0), (0, self.window_frames + self.step_frames), (0, 0)))
        hidden = ops.take(features, ops.reshape(places, (-1,)), axis=1)
        windows = self.output_lengths(lengths)
        return {"hidden": hidden, "lengths": windows,
                "valid": sequence_mask(None if windows is None else windows * self.window_frames, hidden)}

    def block(self, number, stream, training):
        hidden = stream["hidden"]
        if hidden.shape[:2] == (1, None):
            # One window after the other, for exported files: TFLite has no loop for a number of rows that isn't known.
            places = ops.arange(ops.shape(hidden)[1], dtype="int32") % self.window_frames
            going_on = ops.cast(places > 0, hidden.dtype)[None, :, None]
            hidden = self.blocks[number - 1](hidden, going_on=going_on)
        else:
            windows = self.blocks[number - 1](ops.reshape(hidden, (-1, self.window_frames, hidden.shape[-1])))
            hidden = ops.reshape(windows, (*ops.shape(hidden)[:2], self.size))
        return {**stream, "hidden": hidden if stream["valid"] is None else hidden * stream["valid"]}

    def frames(self, number, stream, training):
        windows = ops.reshape(stream["hidden"], (ops.shape(stream["hidden"])[0], -1, self.window_frames, self.size))
        return self.dropout(windows[:, :, -1], training=training)

    def get_config(self):
        names = ("size", "num_blocks", "window_frames", "step_frames", "minimum_frames")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "dropout": self.dropout_rate}
