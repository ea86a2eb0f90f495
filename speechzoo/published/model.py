"""What a file of published weights gives, and how its arrays are taken out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass
class PublishedModel:
    """What a published file gives.

    Attributes:
        name: The architecture, as its publisher calls it.
        weights: Keras path in a model with this front end, backbone and heads -> float32 array.
        frontend: The front end as a zoo config has it: type and options.
        backbone: The backbone as a zoo config has it.
        used: Names of the file's arrays that the weights come from, each once.
        left_out: Name of every other array -> why it is left out.
        heads: The heads as a zoo config has them; none where they were not asked for.
    """

    name: str
    weights: dict[str, np.ndarray]
    frontend: dict
    backbone: dict
    used: list[str]
    left_out: dict[str, str]
    heads: dict = field(default_factory=dict)


class Taker:
    """Takes arrays out of a file, each once, and keeps what they become.

    Args:
        arrays: Name -> array.
        source: Names the file in messages.
        name: The architecture, for messages: "Whisper".
        owner: What can be imported, for messages: "OpenAI's architecture".

    Attributes:
        weights: Keras path -> float32 array, which the caller fills.
        used: Names of the arrays that were taken.
        left_out: Name -> why it is left out, which the caller fills.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], source: str, name: str, owner: str):
        self._arrays, self._source, self._name, self._owner = arrays, source, name, owner
        self.weights, self.used, self.left_out = {}, [], {}

    def sizes(self, name, rank):
        """The shape of an array that must have `rank` axes."""
        shape = self._array(name).shape
        if len(shape) != rank or 0 in shape:
            raise self.unfit(name, f"has the shape {list(shape)}, where {rank} axes were expected")
        return shape

    def whole_number(self, name):
        """A number that is an array without axes, which counts as used."""
        array = self._array(name)
        if array.shape != () or array.dtype.kind != "i":
            raise self.unfit(name, "is no whole number")
        self.used.append(name)
        return int(array)

    def take(self, name, shape):
        """float32 array of one name, which counts as used."""
        array = self._array(name)
        if array.dtype.kind != "f":
            raise ValueError(f"{self._source}: '{name}' is quantised to {array.dtype.name}, which lost what training "
                             "needs; take a file that was converted with --quantization float16 or float32")
        if array.shape != shape:
            raise self.unfit(name, f"has the shape {list(array.shape)}, where {list(shape)} was expected")
        if not np.isfinite(array).all():
            raise ValueError(f"{self._source}: '{name}' holds numbers that are not finite; the file is damaged, fetch "
                             "it again")
        self.used.append(name)
        return array.astype(np.float32)

    def leave_out(self, name, reason):
        """Leaves an array out where there is one of this name."""
        if name in self._arrays:
            self.left_out[name] = reason

    def check_nothing_left(self):
        """Every array was used, or left out with a reason."""
        done = {*self.used, *self.left_out}
        unknown = [name for name in self._arrays if name not in done]
        if unknown:
            raise ValueError(f"{self._source}: {len(unknown)} arrays that {self._name} doesn't have, such as "
                             f"'{unknown[0]}'; only files of {self._owner} can be imported")

    def _array(self, name):
        if name not in self._arrays:
            raise ValueError(f"{self._source}: has no '{name}'; only files of {self._owner} can be imported")
        return self._arrays[name]

    def unfit(self, name, problem):
        """The error that an array is not what an encoder has."""
        return ValueError(f"{self._source}: '{name}' {problem}; only files of {self._owner} can be imported")
