"""Weights that stay as they are while the others train."""

import keras

from speechzoo.config import ConfigError
from speechzoo.multitask.resting import rest_weights
from speechzoo.training.patterns import check_patterns, match, network_weights


def freeze(model: keras.Model, patterns: list[str]) -> set[str]:
    """Freezes the weights of a model that match any of some patterns, before it is compiled.

    They get no gradient, no weight decay and no moving average. A layer all of whose weights match runs as it does
    after training: its batch statistics rest and there is no dropout inside it. SpecAugment goes on where the front end
    is frozen, because it changes data and not weights.

    Args:
        model: A MultiTaskModel.
        patterns: Shell-style patterns on the paths of weights (`backbone/block_1/*`); `*` matches slashes too.

    Returns:
        Paths of the frozen weights.

    Raises:
        ConfigError: A pattern matches nothing, only the statistics of a layer that trains match, or nothing is left
            to train.
    """
    weights = network_weights(model)
    check_patterns(patterns, weights, "training.freeze")
    frozen = frozen_weights(model, patterns)
    if not any(weight.trainable for weight in weights if weight.path not in frozen):
        raise ConfigError(f"training.freeze: {', '.join(patterns)} leaves nothing of model '{model.name}' to train")
    _check_statistics(weights, frozen)
    rest_weights(model, frozen)
    return frozen


def frozen_weights(model: keras.Model, patterns: list[str]) -> set[str]:
    """Paths of the weights that any of `patterns` matches."""
    weights = network_weights(model)
    return {weight.path for pattern in patterns for weight in match(pattern, weights)}


def _check_statistics(weights, frozen):
    """What a layer updates by itself rests with the whole layer only."""
    training = {_layer_of(weight): weight for weight in weights if weight.trainable and weight.path not in frozen}
    for weight in weights:
        if weight.path in frozen and not weight.trainable and _layer_of(weight) in training:
            raise ConfigError(f"training.freeze: {weight.path} can't rest while {training[_layer_of(weight)].path} "
                              f"trains; freeze {_layer_of(weight)}/* or neither")


def _layer_of(weight):
    return weight.path.rpartition("/")[0]
