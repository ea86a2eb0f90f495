"""Ways to train a trained model on little data, each as keys of `training` in a config."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Schedule:
    """One way to train.

    Attributes:
        name: What the card calls it.
        summary: What trains, in words, with its source.
        training: Keys of `training`.
        cached: The frames of the backbone are computed once, where the model's sharing allows it.
    """

    name: str
    summary: str
    training: dict = field(default_factory=dict)
    cached: bool = False


_FROZEN = {"freeze": ["frontend/*", "backbone*/*"]}

# From the cheapest to the dearest: what a search tries first.
SCHEDULES = [
    Schedule("probe", "the head alone, on the frozen backbone, at 2e-3 (Alain and Bengio 2017, "
                      "https://arxiv.org/abs/1610.01644)", {**_FROZEN, "learning_rate": 2e-3}, cached=True),
    Schedule("slow-probe", "the head alone, on the frozen backbone, at 5e-4", {**_FROZEN, "learning_rate": 5e-4},
             cached=True),
    Schedule("lora", "the head and low-rank updates of the backbone's kernels, at 1e-3 (Hu et al. 2022, "
                     "https://arxiv.org/abs/2106.09685)", {"lora": {"rank": 8}, "learning_rate": 1e-3}),
    Schedule("gradual", "the head first, from the second third on the backbone at a tenth of its rate, too, its batch "
                        "statistics at rest, held by L2-SP, at 5e-4 (Howard and Ruder 2018, "
                        "https://arxiv.org/abs/1801.06146; Li et al. 2018, https://arxiv.org/abs/1802.01483)",
             {"freeze": ["frontend/*", "backbone*/moving_*"], "rates": {"backbone*/*": 0.1},
              "unfreeze": {"backbone*/*": None}, "penalties": [{"type": "l2_sp", "strength": 0.01}],
              "weight_decay": 0.0, "learning_rate": 5e-4}),
]
