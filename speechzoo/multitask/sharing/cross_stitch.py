"""A network for each task, mixed after every block."""

import keras
import numpy as np
from keras import ops

from speechzoo.multitask.sharing.network import Network, features_stream
from speechzoo.multitask.sharing.sharing import Sharing


class StitchedSharing(Sharing):
    """A network for each task; after each block, a layer mixes the hidden values of all tasks into new ones for each.

    What `cross_stitch` and `nddr` have in common; they differ in `mixer`. One head needs the networks of all tasks, up
    to the block that it reads.

    Args:
        backbone, tasks: See `Sharing`.
        own: Share of a task's own values in what it gets at first; the others have the rest, in equal parts. With 1 the
            tasks start as independent networks.

    Raises:
        ValueError: `own` is not between 0 and 1.
    """

    cost = "a backbone for each task of the config, and a mixture after each block; all run for one head"
    mixes_tasks = True

    def __init__(self, backbone, tasks: list[str], own: float = 0.9):
        super().__init__(backbone, tasks)
        if not 0 <= own <= 1:
            raise ValueError(f"cross_stitch and nddr: own {own:g} is not between 0 and 1")
        self.own = own
        self.networks = [Network(self.copy_of_backbone(task)) for task in tasks]
        self.mixers = [self.mixer(f"{backbone.name}_mixture_{number}") for number in range(1, backbone.num_blocks + 1)]

    def mixer(self, name: str):
        """Layer (list of the tasks' hidden values, valid) -> list of mixtures."""
        return CrossStitch(self.own, name=name)

    def __call__(self, features, lengths, blocks: dict[str, int], training=None):
        streams = [network.run(features_stream(features, lengths), 0, 0, training) for network in self.networks]
        frames = {}
        for number in range(1, max(blocks.values()) + 1):
            streams = [network.run(stream, number, number, training)
                       for network, stream in zip(self.networks, streams)]
            if len(streams) > 1:
                mixed = self.mixers[number - 1]([stream["hidden"] for stream in streams], streams[0]["valid"],
                                                training=training)
                streams = [{**stream, "hidden": hidden} for stream, hidden in zip(streams, mixed)]
            for task, network, stream in zip(self.tasks, self.networks, streams):
                if blocks.get(task) == number:
                    frames[task] = network.frames(number, stream, training)
        return {head: frames[head] for head in blocks}, self.backbone.output_lengths(lengths)

    def get_config(self):
        return {**super().get_config(), "own": self.own}


@keras.saving.register_keras_serializable(package="speechzoo")
class CrossStitchSharing(StitchedSharing):
    """Cross-stitch networks: after each block, linear mixtures of the tasks' channels with learnt weights.

    x'_s = sum over tasks t of alpha_st x_t, with an alpha for each channel.

    Reference: Misra et al. 2016, https://arxiv.org/abs/1604.03539, equation 1 and section 3.3 (0.9 of a task's own at
    the start). The paper starts from networks trained alone, and gives alpha a larger learning rate than the rest; here
    both train from the start at one rate.

    Args:
        backbone, tasks, own: See `StitchedSharing`.
    """


@keras.saving.register_keras_serializable(package="speechzoo")
class CrossStitch(keras.layers.Layer):
    """Mixes tensors of one shape into as many, channel by channel.

    Args:
        own: First weight of a tensor in its own mixture; the others have the rest in equal parts.

    Call arguments:
        hidden: List of (batch, time, [bins,] channels).
    """

    def __init__(self, own: float = 0.9, **kwargs):
        super().__init__(**kwargs)
        self.own = own

    def build(self, hidden_shape, *_):
        count, channels = len(hidden_shape), hidden_shape[0][-1]
        start = shares_of_tasks(self.own, count)[..., None] * np.ones(channels)
        self.alpha = self.add_weight(name="alpha", shape=start.shape,
                                     initializer=lambda shape, dtype=None: ops.convert_to_tensor(start, dtype))

    def call(self, hidden, valid=None, training=False):
        """List of (batch, time, [bins,] channels) -> as many of the same shape."""
        return [sum(self.alpha[target, number] * source for number, source in enumerate(hidden))
                for target in range(len(hidden))]

    def get_config(self):
        return {**super().get_config(), "own": self.own}


def shares_of_tasks(own: float, count: int) -> np.ndarray:
    """(tasks, tasks), rows sum to 1: `own` on the diagonal, the rest in equal parts beside it."""
    return np.where(np.eye(count), own, (1 - own) / max(count - 1, 1))
