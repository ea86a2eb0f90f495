"""What every decoder has in common: made for a model's spec, it answers labels from the outputs for one utterance."""

import abc
import contextlib

import numpy as np


class Decoder(abc.ABC):
    """Answers some labels of a `Recognition` in place of the heads for them.

    A decoder is made for the spec of one model, because it knows which heads to read and what their outputs mean.

    Attributes:
        heads: Names of the heads that it reads.
        labels: Labels that it answers; heads for these labels are not read.
    """

    heads: tuple[str, ...]
    labels: tuple[str, ...]

    @abc.abstractmethod
    def __call__(self, outputs: dict[str, np.ndarray]):
        """What the outputs for one utterance mean: a `Hypothesis`, a `Parse`, or whatever `write` writes.

        Args:
            outputs: Head -> array without the batch axis; at least those of `heads`.

        Raises:
            ValueError: An output that is missing, of the wrong shape, or not finite.
        """

    @abc.abstractmethod
    def write(self, result, meaning):
        """Writes the answers for one utterance.

        Args:
            result: A `Recognition`; the fields of the decoder's labels are changed.
            meaning: What a call gave.

        Raises:
            ValueError: An output that can't be read.
        """

    def read(self, result, outputs: dict[str, np.ndarray]):
        """A call and `write` in one."""
        self.write(result, self(outputs))


@contextlib.contextmanager
def naming_head(name: str):
    """Makes a ValueError from within say which head it is about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"head '{name}': {error}") from None


@contextlib.contextmanager
def output_of(outputs: dict[str, np.ndarray], name: str):
    """A head's output for the block that reads it, whose ValueErrors then name the head.

    Raises:
        ValueError: It is missing.
    """
    if name not in outputs:
        raise ValueError(f"the outputs lack head '{name}'; they have: {', '.join(outputs)}")
    with naming_head(name):
        yield np.asarray(outputs[name])
