"""Learning rates of their own for parts of a network."""

import keras

from speechzoo.config import ConfigError
from speechzoo.training.patterns import check_patterns, match, network_weights


def match_rates(model: keras.Model, rates: dict[str, float]) -> dict[str, float]:
    """Path -> factor of its learning rate, of every weight that trains and that a pattern matches.

    Args:
        model: A MultiTaskModel, after `freeze`.
        rates: Pattern on the paths of weights -> factor. Of several that match, the last counts.

    Raises:
        ConfigError: A pattern matches no weight that trains.
    """
    weights = [weight for weight in network_weights(model) if weight.trainable]
    check_patterns(rates, weights, "training.rates", "weight that trains")
    return {weight.path: factor for pattern, factor in rates.items() for weight in match(pattern, weights)}


def match_starts(model: keras.Model, epochs: dict[str, int], epoch_steps: list[int]) -> dict[str, int]:
    """Path -> step from which it trains, of every weight that trains and that a pattern matches.

    Gradual unfreezing, from the heads down (Howard and Ruder 2018, https://arxiv.org/abs/1801.06146, section 3.3):
    `{backbone/*: 3, backbone/block_4/*: 2}`.

    Args:
        model: A MultiTaskModel, after `freeze`.
        epochs: Pattern on the paths of weights -> epoch, 1-based. Of several that match, the last counts.
        epoch_steps: Steps of each epoch.

    Raises:
        ConfigError: A pattern matches no weight that trains, or an epoch that there isn't.
    """
    weights = [weight for weight in network_weights(model) if weight.trainable]
    check_patterns(epochs, weights, "training.unfreeze", "weight that trains")
    for pattern, epoch in epochs.items():
        if not 1 <= epoch <= len(epoch_steps):
            raise ConfigError(f"training.unfreeze: '{pattern}' shall train from epoch {epoch}, and there are "
                              f"{len(epoch_steps)}")
    return {weight.path: sum(epoch_steps[:epoch - 1]) for pattern, epoch in epochs.items()
            for weight in match(pattern, weights)}


@keras.saving.register_keras_serializable(package="speechzoo")
class RatedAdamW(keras.optimizers.AdamW):
    """AdamW whose learning rate, and with it the decoupled weight decay, has a factor for each weight.

    Its state is that of AdamW, variable by variable.

    Args:
        learning_rate: Rate or schedule that the factors apply to.
        weight_decay: Decoupled decay per unit of learning rate (Loshchilov and Hutter 2019,
            https://arxiv.org/abs/1711.05101, algorithm 2).
        rates: Path of a variable -> factor; 1 for those that it doesn't name.
        starts: Path of a variable -> first step that changes it; its moments are estimated from the first on.
        **kwargs: As `keras.optimizers.AdamW`.

    Example:
        >>> optimizer = RatedAdamW(1e-3, rates={"backbone/block_1/kernel": 0.1})
    """

    def __init__(self, learning_rate=0.001, weight_decay: float = 0.004, rates: dict[str, float] | None = None,
                 starts: dict[str, int] | None = None, **kwargs):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        # Keras decays all variables at one rate; `update_step` does it here.
        self.decay, self.weight_decay = weight_decay, None
        self.rates, self.starts = dict(rates or {}), dict(starts or {})
        self._factors, self._first_steps = {}, {}

    def build(self, variables):
        for variable in variables:
            # On TensorFlow, `update_step` gets the variable inside Keras's.
            inner = [variable.value] if keras.backend.backend() == "tensorflow" else []
            for key in [id(one) for one in (variable, *inner)]:
                self._factors[key] = self.rates.get(variable.path, 1.0)
                self._first_steps[key] = self.starts.get(variable.path, 0)
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        """One step of one variable: its decay, then Adam's."""
        rate = keras.ops.cast(learning_rate, variable.dtype) * self._factors[id(variable)]
        if self._first_steps[id(variable)]:
            rate = rate * keras.ops.cast(self.iterations >= self._first_steps[id(variable)], variable.dtype)
        self.assign_sub(variable, variable * self.decay * rate)
        super().update_step(gradient, variable, rate)

    def get_config(self):
        return {**super().get_config(), "weight_decay": self.decay, "rates": self.rates, "starts": self.starts}
