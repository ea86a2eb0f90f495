"""Learning rates of their own for parts of a network."""

import keras

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


@keras.saving.register_keras_serializable(package="speechzoo")
class RatedAdamW(keras.optimizers.AdamW):
    """AdamW whose learning rate, and with it the decoupled weight decay, has a factor for each weight.

    Its state is that of AdamW, variable by variable.

    Args:
        learning_rate: Rate or schedule that the factors apply to.
        weight_decay: Decoupled decay per unit of learning rate (Loshchilov and Hutter 2019,
            https://arxiv.org/abs/1711.05101, algorithm 2).
        rates: Path of a variable -> factor; 1 for those that it doesn't name.
        **kwargs: As `keras.optimizers.AdamW`.

    Example:
        >>> optimizer = RatedAdamW(1e-3, rates={"backbone/block_1/kernel": 0.1})
    """

    def __init__(self, learning_rate=0.001, weight_decay: float = 0.004, rates: dict[str, float] | None = None,
                 **kwargs):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        # Keras decays all variables at one rate; `update_step` does it here.
        self.decay, self.weight_decay = weight_decay, None
        self.rates = dict(rates or {})
        self._factors = {}

    def build(self, variables):
        for variable in variables:
            factor = self.rates.get(variable.path, 1.0)
            # On TensorFlow, `update_step` gets the variable inside Keras's.
            self._factors[id(variable)] = factor
            if keras.backend.backend() == "tensorflow":
                self._factors[id(variable.value)] = factor
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        """One step of one variable: its decay, then Adam's."""
        rate = keras.ops.cast(learning_rate, variable.dtype) * self._factors[id(variable)]
        self.assign_sub(variable, variable * self.decay * rate)
        super().update_step(gradient, variable, rate)

    def get_config(self):
        return {**super().get_config(), "weight_decay": self.decay, "rates": self.rates}
