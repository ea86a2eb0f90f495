"""Experts for all tasks beside experts of each task."""

import keras

from speechzoo.multitask.sharing.gate import ExpertGate
from speechzoo.multitask.sharing.network import Network, features_stream
from speechzoo.multitask.sharing.sharing import Sharing

_SHARED = "shared"


@keras.saving.register_keras_serializable(package="speechzoo")
class PLESharing(Sharing):
    """Progressive layered extraction: a task's gate mixes its own experts and the shared ones, level by level.

    At level j: g_k = sum over the task's own and the shared experts i of softmax(W_kj x_k)_i E_i(x), where x_k is the
    task's mixture of the level below (at the first level, the features) and x is that of the expert's owner. The shared
    experts of the next level take a mixture of all experts of this one. Experts are backbones and a level is a part of
    their blocks: with one level this is customised gate control (CGC).

    Reference: Tang et al. 2020, https://doi.org/10.1145/3383313.3412236, equations 1 to 6. The gates look at the mean
    over an utterance.

    Args:
        backbone, tasks: See `Sharing`.
        shared_experts: Number of experts for all tasks.
        task_experts: Number of experts of each task.
        levels: Number of parts into which the blocks are divided; with more than one, a head takes the experts of all
            tasks below the last part.

    Raises:
        ValueError: Not at least one expert of each kind, or not between 1 and as many levels as blocks.
    """

    cost = "backbones: the shared experts, and the experts of each task"

    def __init__(self, backbone, tasks: list[str], shared_experts: int = 1, task_experts: int = 1, levels: int = 1):
        super().__init__(backbone, tasks)
        if shared_experts < 1 or task_experts < 1:
            raise ValueError(f"ple: shared_experts {shared_experts} and task_experts {task_experts} must be 1 or more")
        if not 1 <= levels <= backbone.num_blocks:
            raise ValueError(f"ple: levels {levels} is not between 1 and the backbone's {backbone.num_blocks} blocks")
        if _SHARED in tasks:
            raise ValueError(f"ple: a head can't be named '{_SHARED}', which the experts for all tasks are")
        self.options = {"shared_experts": shared_experts, "task_experts": task_experts, "levels": levels}
        self.mixes_tasks = levels > 1
        self.ends = [-(-backbone.num_blocks * level // levels) for level in range(1, levels + 1)]
        self.experts = {owner: [Network(self.copy_of_backbone(f"{owner}_expert_{number}"))
                                for number in range(1, (shared_experts if owner == _SHARED else task_experts) + 1)]
                        for owner in (*tasks, _SHARED)}
        self.gates = {}

    def __call__(self, features, lengths, blocks: dict[str, int], training=None):
        looked_at = dict.fromkeys(self.experts, (features, lengths))
        streams = {owner: [features_stream(features, lengths)] * len(networks)
                   for owner, networks in self.experts.items()}
        frames, start, deepest = {}, 0, max(blocks.values())
        for end in self.ends:
            # Of the last level that is needed, only the parts that the heads there read.
            owners = [*self.tasks] if deepest > end else [head for head, block in blocks.items() if block >= start]
            for number in range(start, min(end, deepest) + 1):
                streams = {owner: [network.run(stream, number, number, training)
                                   for network, stream in zip(self.experts[owner], streams[owner])]
                           for owner in (*owners, _SHARED)}
                for head, block in blocks.items():
                    if block == number:
                        mixed = self._mix(head, number, streams, looked_at[head])
                        frames[head] = self.experts[head][0].frames(number, mixed, training)
            if deepest <= end:
                break
            mixed = {owner: self._mix(owner, end, streams, looked_at[owner]) for owner in streams}
            looked_at = {owner: (stream["hidden"], stream["lengths"]) for owner, stream in mixed.items()}
            streams = {owner: [{**stream, "hidden": mixed[owner]["hidden"]} for stream in streams[owner]]
                       for owner in streams}
            start = end + 1
        return {head: frames[head] for head in blocks}, self.backbone.output_lengths(lengths)

    def get_config(self):
        return {**super().get_config(), **self.options}

    def _mix(self, owner, number, streams, looked_at):
        """The stream of an owner after a block, by its gate."""
        visible = streams if owner == _SHARED else (owner, _SHARED)
        experts = [stream["hidden"] for name in visible for stream in streams[name]]
        if (owner, number) not in self.gates:
            self.gates[owner, number] = ExpertGate(name=f"gate_{owner}_{number}")
        inputs, lengths = looked_at
        return {**streams[owner][0], "hidden": self.gates[owner, number](inputs, experts, lengths)}
