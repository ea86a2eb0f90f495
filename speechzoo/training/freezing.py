"""Weights that stay as they are while the others train."""

import keras

from speechzoo.config import ALL_NETWORKS, ConfigError, ZooConfig
from speechzoo.layers.lora import is_update, kernel_path
from speechzoo.multitask.resting import layers_of, rest_weights
from speechzoo.training.patterns import check_patterns, match, network_weights


def freeze(model: keras.Model, patterns: list[str]) -> set[str]:
    """Freezes the weights of a model that match any of some patterns, before it is compiled.

    They get no gradient, no weight decay and no moving average. A layer all of whose weights match runs as it does
    after training: its batch statistics rest and there is no dropout inside it. Where the statistics of a normalisation
    alone match (`*/moving_*`), it uses them as they are, and its scales and offsets train. SpecAugment goes on where
    the front end is frozen, because it changes data and not weights.

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
    _check_statistics(model, weights, frozen)
    rest_weights(model, frozen)
    return frozen


def frozen_weights(model: keras.Model, patterns: list[str]) -> set[str]:
    """Paths of the weights that any of `patterns` matches, without low-rank updates, which are there to train."""
    weights = [weight for weight in network_weights(model) if not is_update(weight.path)]
    return {weight.path for pattern in patterns for weight in match(pattern, weights)}


def frozen_patterns(model: keras.Model, config: ZooConfig) -> list[str]:
    """What a config freezes: what it says, and where kernels have low-rank updates the front end and the backbones,
    and all of the layers that have one."""
    if config.training.lora is None:
        return config.frozen()
    weights = network_weights(model)
    adapted = {f"{kernel_path(weight.path).removesuffix('kernel')}*" for weight in weights if is_update(weight.path)}
    resting = [pattern for pattern in ("frontend/*", ALL_NETWORKS) if match(pattern, weights)]
    return [*config.frozen(), *resting, *sorted(adapted)]


def _check_statistics(model, weights, frozen):
    """What a layer updates by itself rests with the whole layer only, unless it is a normalisation."""
    training = {_layer_of(weight): weight for weight in weights if weight.trainable and weight.path not in frozen}
    of_norms = [{layer.moving_mean.path, layer.moving_variance.path} for layer in layers_of(model)
                if hasattr(layer, "statistics_rest")]
    resting = set().union(*(paths for paths in of_norms if paths <= frozen))
    for weight in weights:
        if weight.path in frozen - resting and not weight.trainable and _layer_of(weight) in training:
            raise ConfigError(f"training.freeze: {weight.path} can't rest while {training[_layer_of(weight)].path} "
                              f"trains; freeze {_layer_of(weight)}/*, all of its statistics, or neither")


def _layer_of(weight):
    return weight.path.rpartition("/")[0]
