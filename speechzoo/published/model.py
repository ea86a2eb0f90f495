"""What a reader of one architecture makes of a file of weights."""

from dataclasses import dataclass

import numpy as np


@dataclass
class PublishedModel:
    """A published model as one of this zoo.

    Attributes:
        kind: What kind of model it is, for people.
        weights: Keras path in a model with this front end, backbone and heads -> float32 array.
        frontend: The front end as a zoo config has it: type and options.
        backbone: The backbone as a zoo config has it.
        heads: The heads as a zoo config has them.
        used: Names of the file's arrays that the weights come from, each once.
        left_out: Name of every other array -> why it is left out.
    """

    kind: str
    weights: dict[str, np.ndarray]
    frontend: dict
    backbone: dict
    heads: dict
    used: list[str]
    left_out: dict[str, str]
