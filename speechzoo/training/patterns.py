"""Shell-style patterns on the paths of weights, such as `backbone/block_1/*`."""

import difflib
import fnmatch
from collections.abc import Iterable

import keras

from speechzoo.config import ConfigError


def network_weights(model: keras.Model) -> list[keras.Variable]:
    """The weights of a MultiTaskModel's front end, backbones and heads: what patterns speak of.

    Those of its weighting and penalties belong to its training and are not among them.
    """
    others = {id(weight) for layer in (model.weighting, *model.penalties) for weight in layer.weights}
    return [weight for weight in model.weights if id(weight) not in others]


def match(pattern: str, weights: Iterable[keras.Variable]) -> list[keras.Variable]:
    """The weights whose whole path matches; `*` stands for any text, slashes too."""
    return [weight for weight in weights if fnmatch.fnmatchcase(weight.path, pattern)]


def check_patterns(patterns: Iterable[str], weights: list[keras.Variable], key: str, kind: str = "weight"):
    """Raises ConfigError for the first pattern that matches none of `weights`.

    Args:
        patterns: Patterns on the paths of weights.
        weights: The weights.
        key: Where the config has the patterns, and `kind` what they match, for the message.
    """
    for pattern in patterns:
        if not match(pattern, weights):
            raise ConfigError(f"{key}: no {kind} matches '{pattern}'; {_nearest(pattern, weights)}")


def _nearest(pattern, weights):
    """A hint: the weights and layers whose names are near, or the names of the parts."""
    folders = [weight.path.split("/") for weight in weights]
    layers = {"/".join(names[:depth]) + "/*" for names in folders for depth in range(1, len(names))}
    close = difflib.get_close_matches(pattern, sorted(layers | {weight.path for weight in weights}), n=3, cutoff=0.6)
    if close:
        return f"near it: {', '.join(close)}"
    return f"the model has: {', '.join(dict.fromkeys(names[0] + '/*' for names in folders))}"
