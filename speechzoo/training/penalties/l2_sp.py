"""Not far from where the training started."""

import keras
from keras import ops

from speechzoo.training.patterns import check_patterns, match, network_weights
from speechzoo.training.penalties.penalty import Penalty


class L2SP(Penalty):
    """L2-SP: strength / 2 x squared distance from the starting weights, new_strength / 2 x squared size of new ones.

    New are the weights that train and that the starting file didn't have. Set `training.weight_decay` to 0 with it, or
    both pull.

    Reference: Li et al. 2018, https://arxiv.org/abs/1802.01483, equation 2.

    Args:
        strength: The paper's alpha.
        new_strength: The paper's beta.
        patterns: Shell-style patterns on the paths of the starting weights that are pulled.

    Raises:
        ValueError: A negative strength.
    """

    needs_weights = True

    def __init__(self, strength: float = 0.01, new_strength: float = 0.01, patterns: list[str] | None = None, **kwargs):
        super().__init__(**kwargs)
        if not (strength >= 0 and new_strength >= 0):
            raise ValueError(f"l2_sp: strength {strength:g} and new_strength {new_strength:g} must be 0 or more")
        self.strength, self.new_strength = strength, new_strength
        self.patterns = ["*"] if patterns is None else [str(pattern) for pattern in patterns]

    def start(self, model):
        weights = [weight for weight in network_weights(model) if weight.trainable]
        check_patterns(self.patterns, weights, "training.penalties: l2_sp: patterns", "weight that trains")
        pulled = {weight.path for pattern in self.patterns for weight in match(pattern, weights)}
        self.starts, self.strengths = {}, {}
        for weight in weights:
            # Zeros and the strength of new weights until the file, or a checkpoint, says otherwise.
            name = weight.path.replace("/", ".")
            start = self.add_weight(name=name, shape=weight.shape, initializer="zeros", trainable=False)
            strength = self.add_weight(name=f"{name}.strength", shape=(), trainable=False,
                                       initializer=keras.initializers.Constant(self.new_strength))
            if weight.path in self.loaded:
                start.assign(ops.convert_to_numpy(weight))  # on JAX two variables mustn't share a buffer
                strength.assign(self.strength * (weight.path in pulled))
            self.starts[weight.path], self.strengths[weight.path] = start, strength

    def call(self, model, inputs, outputs):
        """The penalty on the model's weights, a scalar; `inputs` and `outputs` of the batch don't matter."""
        total = ops.zeros(())
        for weight in model.trainable_variables:
            if weight.path in self.starts:
                distance = ops.sum(ops.square(ops.cast(weight, "float32") - self.starts[weight.path]))
                total = total + 0.5 * self.strengths[weight.path] * distance
        return total
