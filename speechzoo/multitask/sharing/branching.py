"""One network up to a block, and a branch for each task or group of tasks from there on."""

import keras

from speechzoo.multitask.sharing.network import Network, features_stream
from speechzoo.multitask.sharing.sharing import Sharing


@keras.saving.register_keras_serializable(package="speechzoo")
class BranchingSharing(Sharing):
    """Tree sharing: the first blocks are everybody's, the others each branch has for itself.

    Reference: Lu et al. 2017, https://arxiv.org/abs/1611.05377, section 3, with the branches given, not grown; the
    grouping of Standley et al. 2020, https://arxiv.org/abs/1905.07553, is `block: 0` (the stem stays shared).

    Args:
        backbone, tasks: See `Sharing`.
        block: Last shared block; 0 for the stem only.
        groups: Lists of heads that share a branch; a branch for each head when None. They name every head once, and may
            name heads that are left out of this model.

    Raises:
        ValueError: No such block, or groups that don't name every head once.
    """

    cost = "one backbone up to a block, and one from there on for each branch"

    def __init__(self, backbone, tasks: list[str], block: int = 1, groups: list | None = None):
        super().__init__(backbone, tasks)
        if not 0 <= block < backbone.num_blocks:
            raise ValueError(f"branching: block {block} is not between 0 and {backbone.num_blocks - 1}, the last "
                             "but one of the backbone")
        if groups is not None:
            valid = isinstance(groups, list | tuple) and all(isinstance(group, list | tuple) and group
                                                             for group in groups)
            named = [head for group in groups for head in group] if valid else []
            if any(named.count(task) != 1 for task in tasks):
                raise ValueError(f"branching: groups must be lists that name every head once ({', '.join(tasks)}), got "
                                 f"{groups!r}")
        self.block = block
        self.groups = groups
        self.trunk = Network(self.copy_of_backbone())
        self.branches = {}
        for group in groups or [[task] for task in tasks]:
            branch = Network(self.copy_of_backbone("_".join(group)))
            self.branches.update(dict.fromkeys(group, branch))

    def __call__(self, features, lengths, blocks: dict[str, int], training=None):
        streams = {(self.trunk, 0): self.trunk.run(features_stream(features, lengths), 0, 0, training)}
        frames = {}
        for head, last in blocks.items():
            before = (self.trunk, 0)
            for number in range(1, last + 1):
                network = self.trunk if number <= self.block else self.branches[head]
                if (network, number) not in streams:
                    streams[network, number] = network.run(streams[before], number, number, training)
                before = network, number
            frames[head] = before[0].frames(last, streams[before], training)
        return frames, self.backbone.output_lengths(lengths)

    def get_config(self):
        return {**super().get_config(), "block": self.block, "groups": self.groups}
