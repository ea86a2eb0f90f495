"""What a run of learning to learn is asked for."""

from dataclasses import dataclass

from speechzoo.config import nearest
from speechzoo.meta.methods import METHODS


@dataclass(frozen=True)
class MetaSettings:
    """A run; it goes on with the same settings only.

    Attributes:
        model: Name of a zoo model, folder of a run or of `save`, or `hf://owner/name`.
        train: Recordings that episodes of training are drawn from: manifest, prepared folder, or folder with one folder
            per class.
        test: Recordings that it is measured on; None holds classes and speakers of `train` out.
        label: Field with the classes.
        method: Name in `METHODS`.
        head: Name of the head to learn.
        episodes: Of training.
        ways, shots, queries, unknown, silence: Of an episode, see `EpisodeSampler`.
        block: Block of the backbone whose frames are read, from 1; the last when None.
        hidden_size: Size of the embedding.
        train_backbone: Whether front end and backbone learn, too; otherwise their frames are computed once.
        learning_rate: Adam's, falling to zero.
        inner_rate, steps: Of the methods that have inner steps; None for the method's own.
        per_class: Recordings of each class at most.
        test_episodes: Of the evaluation.
        seed: Of everything that is drawn.

    Raises:
        ValueError: A method that there isn't, or a number out of range.
    """

    model: str
    train: str
    test: str | None = None
    label: str = "keyword"
    method: str = "prototypical"
    head: str = "few_shot"
    episodes: int = 2000
    ways: int = 5
    shots: int = 5
    queries: int = 5
    unknown: int = 5
    silence: int = 1
    block: int | None = None
    hidden_size: int = 64
    train_backbone: bool = False
    learning_rate: float = 1e-3
    inner_rate: float | None = None
    steps: int | None = None
    per_class: int = 100
    test_episodes: int = 200
    seed: int = 1

    def __post_init__(self):
        if self.method not in METHODS:
            raise ValueError(f"no method '{self.method}'; {nearest(self.method, METHODS)}")
        kind = METHODS[self.method]
        for name, least in (("episodes", 1), ("hidden_size", 1), ("per_class", 1), ("test_episodes", 2), ("steps", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be {least} or more, got {value}")
        for name in ("learning_rate", "inner_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value:g}")
        if self.train_backbone and not kind.trained:
            raise ValueError(f"method '{self.method}' learns nothing from episodes, so that it can't train the "
                             "backbone")
        if not hasattr(kind, "adapt") and (self.inner_rate is not None or self.steps is not None):
            raise ValueError(f"method '{self.method}' has no inner steps; leave inner_rate and steps out")
