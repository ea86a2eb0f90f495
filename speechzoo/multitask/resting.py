"""Weights that don't train, and the layers that they are all of."""

import itertools
from collections.abc import Iterable, Iterator

import keras


def rest_weights(model: keras.Model, paths: Iterable[str]):
    """Keeps the weights of these paths as they are while the others train.

    A layer all of whose weights rest runs as it does after training: its batch statistics rest and there is no dropout
    inside it. A normalisation whose statistics rest normalises by these.

    Args:
        model: A MultiTaskModel.
        paths: Paths of weights.
    """
    resting = set(paths)
    for weight in model.weights:
        if weight.path in resting:
            weight.trainable = False
    for layer in layers_of(model):
        if layer.weights and all(weight.path in resting for weight in layer.weights):
            layer.trainable = False
            for part in itertools.chain([layer], layers_of(layer)):
                if isinstance(part, keras.layers.Dropout):
                    part.rate = 0.0
        if hasattr(layer, "statistics_rest") and layer.built:  # a sharing may build copies in a layer's place
            layer.statistics_rest = {layer.moving_mean.path, layer.moving_variance.path} <= resting


def what_rests(model: keras.Model) -> dict[str, list[str]]:
    """Paths of the weights that don't train, statistics among them, and of all weights of layers that rest."""
    of_layers = {weight.path for layer in layers_of(model) if not layer.trainable for weight in layer.weights}
    return {"weights": [weight.path for weight in model.weights if not weight.trainable],
            "of_layers": [weight.path for weight in model.weights if weight.path in of_layers]}


def rest_as(model: keras.Model, resting: dict[str, list[str]]):
    """Lets a new model rest as `what_rests` has found another one of the same weights."""
    for weight in model.weights:
        weight.trainable = weight.trainable and weight.path not in resting["weights"]
    rest_weights(model, resting["of_layers"])


def layers_of(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """The layers inside of a layer or model, however deep, each once."""
    return _layers_in(vars(layer), {id(layer)})


def _layers_in(value, seen: set) -> Iterator[keras.layers.Layer]:
    """The layers in a layer's attributes, theirs, and so on, each once."""
    if isinstance(value, keras.layers.Layer):
        if id(value) not in seen:
            seen.add(id(value))
            yield value
            yield from _layers_in(vars(value), seen)
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _layers_in(item, seen)
