"""One network, and for each task an attention over its channels after every block."""

import keras
from keras import ops

from speechzoo.layers.masking import sequence_mask
from speechzoo.layers.normalization import batch_norm
from speechzoo.layers.quantizable import Conv1D, FrameDense
from speechzoo.multitask.sharing.sharing import Sharing


@keras.saving.register_keras_serializable(package="speechzoo")
class MTANSharing(Sharing):
    """Multi-task attention network: every head reads the shared frames through soft masks of its own.

    a_j = h_j([p_j; f_j(â_(j-1))]) and â_j = a_j x p_j after block j, where p_j are the shared frames, f_j a convolution
    of three frames, and h_j two dense layers with batch normalisation, the last with a sigmoid; a_1 sees p_1 alone.

    Reference: Liu et al. 2019, https://arxiv.org/abs/1803.10704, equations 1 and 2. In the paper attention looks at two
    places of a block, u in the middle and p at the end; here both are the frames after the block.

    Args:
        backbone, tasks: See `Sharing`.
        reduction: Channels of the block for one channel inside its attention.

    Raises:
        ValueError: A reduction below 1.
    """

    cost = "one backbone, and an attention after each block for each head"

    def __init__(self, backbone, tasks: list[str], reduction: int = 4):
        super().__init__(backbone, tasks)
        if reduction < 1:
            raise ValueError(f"mtan: reduction {reduction} is not 1 or more")
        self.reduction = reduction
        self.attentions = {task: [BlockAttention(reduction, name=f"attention_{task}_{number}")
                                  for number in range(1, backbone.num_blocks + 1)] for task in tasks}

    def __call__(self, features, lengths, blocks: dict[str, int], training=None):
        shared, lengths = self.backbone(features, lengths, training=training)
        frames = {}
        for head, block in blocks.items():
            attended = []
            for attention, values in zip(self.attentions[head][:block], shared):
                attended = [attention([values, *attended], lengths, training=training)]
            frames[head] = attended[0]
        return frames, lengths

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}


@keras.saving.register_keras_serializable(package="speechzoo")
class BlockAttention(keras.layers.Layer):
    """Frames times a mask between 0 and 1 that it computes from them, and from what the block before attended to.

    Args:
        reduction: Channels for one channel inside.

    Call arguments:
        inputs: The shared frames (batch, frames, channels), and but for the first block the attended ones before.
        lengths: int32 (batch,), or None.
    """

    def __init__(self, reduction: int = 4, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, inputs_shape, *_):
        channels = inputs_shape[0][-1]
        inner = max(1, channels // self.reduction)
        self.squeeze = FrameDense(inner, use_bias=False, name="squeeze")
        self.squeeze.build((None, None, channels * len(inputs_shape)))
        self.expand = FrameDense(channels, use_bias=False, name="expand")
        self.expand.build((None, None, inner))
        self.squeeze_norm, self.expand_norm = batch_norm("squeeze_norm"), batch_norm("expand_norm")
        self.squeeze_norm.build((None, None, inner))
        self.expand_norm.build((None, None, channels))
        if len(inputs_shape) > 1:
            self.before = Conv1D(channels, 3, padding="same", use_bias=False, name="before")
            self.before.build(inputs_shape[1])
            self.before_norm = batch_norm("before_norm")
            self.before_norm.build((None, None, channels))

    def call(self, inputs, lengths=None, training=False):
        """Inputs one or two of (batch, frames, channels) -> (batch, frames, channels)."""
        frames, *before = inputs
        valid = sequence_mask(lengths, frames)
        seen = frames
        if before:
            # What was attended to is zero in the padding, like the frames that it was made of.
            past = ops.relu(self.before_norm(self.before(before[0]), valid, training=training))
            seen = ops.concatenate([frames, past], axis=-1)
        hidden = ops.relu(self.squeeze_norm(self.squeeze(seen), valid, training=training))
        return frames * ops.sigmoid(self.expand_norm(self.expand(hidden), valid, training=training))

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}
