"""CRDNN: convolutions, an LSTM and dense layers."""

import keras
from keras import ops

from speechzoo.backbones.backbone import Backbone
from speechzoo.layers.masking import excluding, lowest, sequence_mask
from speechzoo.layers.normalization import batch_norm
from speechzoo.layers.quantizable import Conv2D, FrameDense
from speechzoo.layers.recurrence import FrameLSTM
from speechzoo.layers.stream_state import pad_time, part_of


@keras.saving.register_keras_serializable(package="speechzoo")
class CRDNN(Backbone):
    """Blocks of 3 x 3 convolutions pooled over frequency, a pooling over time, BiLSTM layers, dense layers.

    Exports to TFLite as float32 and dynamic-range int8, not full int8: TensorFlow's converter can't calibrate the loop
    over time.

    Reference: `speechbrain.lobes.models.CRDNN` (Ravanelli et al. 2021, https://arxiv.org/abs/2106.04624), after the
    CLDNN of Sainath et al. 2015.

    Args:
        channels: Channels of each convolutional block; each halves the number of bins.
        lstm_size: Units of each direction of an LSTM layer.
        num_blocks: BiLSTM layers.
        dense_size: Units of the dense layers behind them.
        dense_layers: Their number.
        subsampling: Feature frames for one output frame: the pooling over time.
        dropout: Dropout rate behind every block and layer.
        causal: For streams: the convolutions see no later frame, and the LSTM reads forwards only.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.
        state: `StreamState` of a step in a stream; see `Backbone`.

    Returns:
        A list with the frames after each BiLSTM layer, the last of them behind the dense layers, and their lengths:
        (batch, ceil(frames / subsampling), 2 x lstm_size (1 x where causal), for the last dense_size).
    """

    def __init__(self, channels: list[int] = (32, 64), lstm_size: int = 128, num_blocks: int = 2,
                 dense_size: int = 256, dense_layers: int = 2, subsampling: int = 4, dropout: float = 0.15,
                 causal: bool = False, **kwargs):
        super().__init__(**kwargs)
        if not channels or dense_layers < 1:
            raise ValueError("crdnn: it takes at least one convolutional block and one dense layer")
        self.channels = list(channels)
        self.lstm_size = lstm_size
        self.num_blocks = num_blocks
        self.dense_size = self.output_size = dense_size
        self.dense_layers = dense_layers
        self.subsampling = subsampling
        self.dropout_rate = dropout
        self.causal = causal
        self.convolutions = [
            [(Conv2D(size, 3, padding="valid" if causal else "same", name=f"conv_{i}_{j}"),
              keras.layers.LayerNormalization(axis=[-2, -1], epsilon=1e-5, name=f"norm_{i}_{j}")) for j in (1, 2)]
            for i, size in enumerate(self.channels, 1)]
        self.pool = keras.layers.MaxPooling2D((1, 2), padding="same", data_format="channels_last", name="pool")
        self.time_pool = keras.layers.MaxPooling1D(subsampling, data_format="channels_last", name="time_pool")
        self.blocks = [FrameLSTM(lstm_size, bidirectional=not causal, name=f"block_{i}")
                       for i in range(1, num_blocks + 1)]
        self.dense = [(FrameDense(dense_size, name=f"dense_{i}"), batch_norm(f"dense_norm_{i}"))
                      for i in range(1, dense_layers + 1)]
        self.dropout = keras.layers.Dropout(dropout, name="dropout")

    def build_stem(self, features_shape):
        bins, channels = features_shape[-1], 1
        for block, size in zip(self.convolutions, self.channels):
            for convolution, norm in block:
                convolution.build((None, None, bins, channels))
                norm.build((None, None, bins, size))
                channels = size
            bins = (bins + 1) // 2
        self.flat_size = bins * channels
        return None, None, self.flat_size

    def build_block(self, number, shape):
        self.blocks[number - 1].build(shape)
        size = self.lstm_size if self.causal else 2 * self.lstm_size
        if number == self.num_blocks:
            for dense, norm in self.dense:
                dense.build((None, None, size))
                norm.build((None, None, self.dense_size))
                size = self.dense_size
        return None, None, size

    def stem(self, features, lengths, training, state=None):
        valid = sequence_mask(lengths, features)
        hidden = (features if valid is None else features * valid)[..., None]
        for block in self.convolutions:
            for convolution, norm in block:
                if self.causal:
                    hidden = pad_time(hidden, 2, 0, (1, 1), part_of(state, convolution.name))
                hidden = ops.leaky_relu(norm(convolution(hidden)), 0.01)
                hidden = hidden if valid is None else hidden * valid[..., None]
            hidden = self.dropout(self.pool(hidden), training=training)
        batch, frames = ops.shape(hidden)[0], ops.shape(hidden)[1]
        hidden = ops.reshape(hidden, (batch, frames, self.flat_size))
        hidden, lengths = self._pool_time(hidden, lengths, valid, state)
        return {"hidden": hidden, "lengths": lengths, "valid": sequence_mask(lengths, hidden)}

    def block(self, number, stream, training):
        valid, state = stream["valid"], part_of(stream.get("state"), f"block_{number}")
        hidden = self.dropout(self.blocks[number - 1](stream["hidden"], valid, state=state), training=training)
        if number == self.num_blocks:
            for dense, norm in self.dense:
                hidden = ops.leaky_relu(norm(dense(hidden), valid, training=training), 0.01)
                hidden = self.dropout(hidden, training=training)
            hidden = hidden if valid is None else hidden * valid
        return {**stream, "hidden": hidden}

    def frames(self, number, stream, training):
        return stream["hidden"]

    def _pool_time(self, hidden, lengths, valid, state):
        """The maximum of `subsampling` frames from frame 0 on; the last window takes what is there."""
        if valid is not None:
            hidden = hidden + excluding(valid)
        missing = self.subsampling - 1
        if state is None:  # the steps of a stream are whole windows
            hidden = ops.pad(hidden, ((0, 0), (0, missing), (0, 0)), constant_values=lowest(hidden.dtype))
        hidden = self.time_pool(hidden)
        if lengths is not None:
            lengths = (lengths + missing) // self.subsampling
            hidden = hidden * sequence_mask(lengths, hidden)
        return hidden, lengths

    def get_config(self):
        names = ("channels", "lstm_size", "num_blocks", "dense_size", "dense_layers", "subsampling", "causal")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "dropout": self.dropout_rate}
