"""DeepSpeech-like recurrent network."""

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.quantizable import Conv1D, FrameDense
from speechzoo.layers.recurrence import FrameLSTM
from speechzoo.layers.stream_state import pad_time, part_of

_CLIP = 20.0  # equation 1 of Deep Speech


@keras.saving.register_keras_serializable(package="speechzoo")
class LSTM(Backbone):
    """Three dense layers, the first over a window of frames, then LSTM layers and a last dense layer.

    Exports to TFLite as float32 and dynamic-range int8, not full int8: TensorFlow's converter can't calibrate the loop
    over time.

    Reference: Deep Speech (Hannun et al. 2014, https://arxiv.org/abs/1412.5567, section 2), with LSTM layers as in
    Mozilla's DeepSpeech in place of the simple recurrence.

    Args:
        size: Units of every layer, and of each direction.
        num_blocks: LSTM layers.
        bidirectional: Reads backwards too; otherwise it sees at most `context` future frames.
        context: Frames on either side that the first layer sees.
        subsampling: Feature frames for one output frame.
        dropout: Dropout rate of every dense layer.
        causal: For streams: the first layer's window ends with the frames that its output stands for.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.
        state: `StreamState` of a step in a stream; see `Backbone`.

    Returns:
        A list with the frames after each LSTM layer, the last of them behind the dense layer, and their lengths:
        (batch, ceil(frames / subsampling), size, or twice that where two directions leave).
    """

    def __init__(self, size: int = 256, num_blocks: int = 1, bidirectional: bool = False, context: int = 4,
                 subsampling: int = 2, dropout: float = 0.1, causal: bool = False, **kwargs):
        super().__init__(**kwargs)
        if causal and (bidirectional or 2 * context + 1 < subsampling):
            raise ValueError("lstm: a causal one can't be bidirectional, nor skip frames (2 x context + 1 below "
                             "subsampling)")
        self.size = self.output_size = size
        self.num_blocks = num_blocks
        self.bidirectional = bidirectional
        self.context = context
        self.subsampling = subsampling
        self.dropout_rate = dropout
        self.causal = causal
        # A dense layer over a window of frames is a convolution.
        self.window = Conv1D(size, 2 * context + 1, strides=subsampling, name="dense_1")
        self.dense = [FrameDense(size, name=f"dense_{i}") for i in (2, 3)]
        self.blocks = [FrameLSTM(size, bidirectional, name=f"block_{i}") for i in range(1, num_blocks + 1)]
        self.last = FrameDense(size, name="dense_last")
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build_stem(self, features_shape):
        self.window.build(features_shape)
        for layer in self.dense:
            layer.build((None, None, self.size))
        return None, None, self.size

    def build_block(self, number, shape):
        self.blocks[number - 1].build(shape)
        size = 2 * self.size if self.bidirectional else self.size
        if number == self.num_blocks:
            self.last.build((None, None, size))
            size = self.size
        return None, None, size

    def stem(self, features, lengths, training, state=None):
        valid = sequence_mask(lengths, features)
        hidden = features if valid is None else features * valid
        # With the window around frame 0, s, 2 s, ... there are ceil(frames / s) of them, and as many where it ends with
        # frame s - 1, 2 s - 1, ...
        around = (self.context, self.context)
        if self.causal:
            around = (2 * self.context + 1 - self.subsampling, self.subsampling - 1)
        hidden = self.window(pad_time(hidden, *around, state=state))
        hidden = self._clipped(hidden, training)
        for layer in self.dense:
            hidden = self._clipped(layer(hidden), training)
        lengths = None if lengths is None else (lengths + self.subsampling - 1) // self.subsampling
        return {"hidden": hidden, "lengths": lengths, "valid": sequence_mask(lengths, hidden)}

    def block(self, number, stream, training):
        valid, state = stream["valid"], part_of(stream.get("state"), f"block_{number}")
        hidden = self.blocks[number - 1](stream["hidden"], valid, state=state)
        if number == self.num_blocks:
            hidden = self._clipped(self.last(hidden), training)
            hidden = hidden if valid is None else hidden * valid
        return {**stream, "hidden": hidden}

    def frames(self, number, stream, training):
        return stream["hidden"]

    def _clipped(self, hidden, training):
        return self.dropout(ops.minimum(ops.relu(hidden), _CLIP), training=training)

    def get_config(self):
        names = ("size", "num_blocks", "bidirectional", "context", "subsampling", "causal")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "dropout": self.dropout_rate}
