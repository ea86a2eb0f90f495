"""A model as a config and back: what `.keras` files hold beside the weights."""

import contextlib
import dataclasses

import keras

from speechzoo.config import ZooConfig, from_dict
from speechzoo.layers.quantizable import InputRange, quantization_aware
from speechzoo.multitask.resting import layers_of, rest_as, what_rests
from speechzoo.origin import Origin


class Serializable:
    """Mixin before `keras.Model`, for `model.save("m.keras")` and `keras.models.load_model("m.keras")`.

    A file holds the parts, the weighting, the zoo config, which weights rest, and the origin of the weights, so that
    the licences' texts travel along. Penalties belong to a training run and are not in it.
    """

    def get_config(self) -> dict:
        """The arguments of the constructor as plain values, and what else the model needs to be itself again."""
        return {
            "name": self.name,
            "frontend": keras.saving.serialize_keras_object(self.frontend),
            "backbone": keras.saving.serialize_keras_object(self.sharing),
            "heads": {name: keras.saving.serialize_keras_object(head) for name, head in self.heads.items()},
            "blocks": dict(self.blocks),
            "weighting": keras.saving.serialize_keras_object(self.weighting),
            "config": None if self.zoo_config is None else self.zoo_config.to_dict(),
            "resting": what_rests(self),
            "quantization_aware": any(isinstance(layer, InputRange) for layer in layers_of(self)),
            "dtype_policy": self.dtype_policy.name,
            "origin": dataclasses.asdict(self.origin),
        }

    @classmethod
    def from_config(cls, config: dict) -> "Serializable":
        """The model that `get_config` describes, with random weights."""
        config = dict(config)
        resting, origin = config.pop("resting"), config.pop("origin")
        if config["config"] is not None:
            config["config"] = from_dict(ZooConfig, config["config"], "config")
        with quantization_aware(config.pop("quantization_aware")), dtype_policy(config.pop("dtype_policy")):
            for name in ("frontend", "backbone", "weighting"):
                config[name] = keras.saving.deserialize_keras_object(config[name])
            config["heads"] = {name: keras.saving.deserialize_keras_object(head)
                               for name, head in config["heads"].items()}
            model = cls(**config)
        rest_as(model, resting)
        model.origin = Origin(**origin)
        return model


@contextlib.contextmanager
def dtype_policy(name: str):
    """Layers that are made in this context have this policy, the inner ones of other layers too."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
