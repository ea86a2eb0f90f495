"""Experts for all tasks, and a gate for each task."""

import keras

from speechzoo.multitask.sharing.gate import ExpertGate
from speechzoo.multitask.sharing.sharing import Sharing


@keras.saving.register_keras_serializable(package="speechzoo")
class MMoESharing(Sharing):
    """Multi-gate mixture of experts: each head reads its own mixture of the frames of several backbones.

    f_k(x) = sum over experts i of g_k(x)_i f_i(x) with g_k(x) = softmax(W_k x). x is the mean of the features over an
    utterance: the experts are chosen by utterance, not by frame.

    Reference: Ma et al. 2018, https://doi.org/10.1145/3219819.3220007, equations 5 to 7. The experts of the paper are
    smaller than the network that they replace: give the backbone fewer channels to keep the cost.

    Args:
        backbone, tasks: See `Sharing`.
        experts: Number of backbones.

    Raises:
        ValueError: No expert.
    """

    cost = "as many backbones as experts"

    def __init__(self, backbone, tasks: list[str], experts: int = 4):
        super().__init__(backbone, tasks)
        if experts < 1:
            raise ValueError(f"mmoe: experts {experts} is not 1 or more")
        self.experts = [self.copy_of_backbone(f"expert_{number}") for number in range(1, experts + 1)]
        self.gates = {task: ExpertGate(name=f"gate_{task}") for task in tasks}

    def __call__(self, features, lengths, blocks: dict[str, int], training=None):
        answers = [expert(features, lengths, training=training) for expert in self.experts]
        frames = {head: self.gates[head](features, [outputs[block - 1] for outputs, _ in answers], lengths)
                  for head, block in blocks.items()}
        return frames, answers[0][1]

    def get_config(self):
        return {**super().get_config(), "experts": len(self.experts)}
