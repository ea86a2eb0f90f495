"""One network, and small layers of each task between its blocks."""

import keras

from speechzoo.layers.pointwise import pointwise
from speechzoo.multitask.sharing.network import Network, features_stream
from speechzoo.multitask.sharing.sharing import Sharing


@keras.saving.register_keras_serializable(package="speechzoo")
class AdapterSharing(Sharing):
    """Adapters: all heads run through the same blocks, and after each of them through a bottleneck of their own.

    x' = x + W_up relu(W_down x + b_down) + b_up, over the channels of each frame. W_up starts at 0, so that the heads
    start as with hard sharing. Few parameters a task, but behind the first adapter every head runs the blocks itself.

    Reference: Houlsby et al. 2019, https://arxiv.org/abs/1902.00751, section 2.1, with one adapter a block. There the
    shared network is trained before and stays as it is; here it trains along, from the weights of a hard-shared model
    if you start from them: its parameters have the same names.

    Args:
        backbone, tasks: See `Sharing`.
        size: Channels of the bottleneck.
        first_block: The first block that adapters follow; below it the heads run together.

    Raises:
        ValueError: No channels, or no such block.
    """

    cost = "one backbone and small adapters; each head runs the blocks behind the first adapter by itself"

    def __init__(self, backbone, tasks: list[str], size: int = 16, first_block: int = 1):
        super().__init__(backbone, tasks)
        if size < 1:
            raise ValueError(f"adapters: size {size} is not 1 or more")
        if not 1 <= first_block <= backbone.num_blocks:
            raise ValueError(f"adapters: first_block {first_block} is not one of the backbone's blocks 1 to "
                             f"{backbone.num_blocks}")
        self.size = size
        self.first_block = first_block
        self.network = Network(self.copy_of_backbone())
        self.adapters = {task: [Adapter(size, name=f"adapter_{task}_{number}")
                                for number in range(first_block, backbone.num_blocks + 1)] for task in tasks}

    def __call__(self, features, lengths, blocks: dict[str, int], training=None):
        together = [self.network.run(features_stream(features, lengths), 0, 0, training)]
        for number in range(1, min(self.first_block, max(blocks.values())) + 1):
            together.append(self.network.run(together[-1], number, number, training))
        frames = {}
        for head, block in blocks.items():
            stream = together[min(self.first_block, block)]
            for number in range(self.first_block, block + 1):
                if number > self.first_block:
                    stream = self.network.run(stream, number, number, training)
                adapter = self.adapters[head][number - self.first_block]
                stream = {**stream, "hidden": adapter(stream["hidden"], stream["valid"])}
            frames[head] = self.network.frames(block, stream, training)
        return frames, self.backbone.output_lengths(lengths)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "first_block": self.first_block}


@keras.saving.register_keras_serializable(package="speechzoo")
class Adapter(keras.layers.Layer):
    """A bottleneck beside an identity.

    Args:
        size: Channels of the bottleneck.

    Call arguments:
        inputs: (batch, time, [bins,] channels).
        valid: Ones and zeros that multiply `inputs`, or None.
    """

    def __init__(self, size: int = 16, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def build(self, inputs_shape, *_):
        rank, channels = len(inputs_shape), inputs_shape[-1]
        self.down = pointwise(self.size, rank, activation="relu", name="down")
        self.up = pointwise(channels, rank, kernel_initializer="zeros", name="up")
        self.down.build(inputs_shape)
        self.up.build((*inputs_shape[:-1], self.size))

    def call(self, inputs, valid=None):
        """Inputs (batch, time, [bins,] channels) -> the same shape."""
        outputs = inputs + self.up(self.down(inputs))
        return outputs if valid is None else outputs * valid

    def compute_output_shape(self, inputs_shape, *_):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size}
