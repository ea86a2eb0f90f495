"""Weights under which all losses fall at the same rate, without the gradients of each."""

import keras
from keras import ops

from speechzoo.multitask.weighting.adam import Adam
from speechzoo.multitask.weighting.weighting import Weighting, softmax_of_present

# A loss that is smaller counts as this much, nats.
_SMALLEST_LOSS = 1e-8


@keras.saving.register_keras_serializable(package="speechzoo")
class FAMOWeighting(Weighting):
    """Fast adaptive multitask optimization: weights c x z / loss with z = softmax of learnt logits.

    After each step the same batch is looked at again, with the same dropout, and the logits of those heads rise whose
    log loss fell by less than the others'. c makes the weights sum to the number of heads with labels (the paper's sum
    to 1). The factors of the config cancel out: log losses don't see them.

    Softmax, c and the logits' step are over the heads with labels in the batch; the others' logits rest.

    Reference: Liu et al. 2023, https://arxiv.org/abs/2306.03792, algorithm 1, with Adam for the logits as in
    algorithm 2.

    Args:
        weights: Head -> factor of its loss; only 0 (leave the head out) or not matters.
        learning_rate: Of the logits.
        decay: Pull of the logits towards 0.

    Raises:
        ValueError: A learning rate that isn't above 0, or a negative decay.
    """

    cost = "one backward pass, and one more forward pass"

    def __init__(self, weights: dict[str, float], learning_rate: float = 0.025, decay: float = 1e-3, **kwargs):
        super().__init__(weights, **kwargs)
        if learning_rate <= 0 or decay < 0:
            raise ValueError(f"famo needs learning_rate > 0 and decay >= 0, got {learning_rate} and {decay}")
        self.learning_rate, self.decay = learning_rate, decay
        self.logits = self.add_state("logit")
        self.before = self.add_state("before")
        self.adam = Adam(self, learning_rate)

    def task_weights(self, losses, present):
        self.write(self.before, losses)
        weights = softmax_of_present(self.read(self.logits), present) / ops.maximum(losses, _SMALLEST_LOSS)
        return ops.sum(present) * weights / ops.maximum(ops.sum(weights), _SMALLEST_LOSS)

    def observe(self, losses, present):
        """Moves the logits by what a step has done.

        Args:
            losses: float32 (heads,), of the same batch as the last call's, after its step.
            present: float32 (heads,), 1 for a head with labels in it.
        """
        logits = self.read(self.logits)
        fall = (ops.log(ops.maximum(self.read(self.before), _SMALLEST_LOSS))
                - ops.log(ops.maximum(losses, _SMALLEST_LOSS)))
        shares = softmax_of_present(logits, present) / ops.maximum(ops.sum(present), 1.0)
        # The Jacobian of the softmax times the falls.
        gradient = shares * (fall - ops.sum(shares * fall))
        self.write(self.logits, logits + self.adam.step(gradient + self.decay * logits, present))

    def train_step(self, model, step, *arguments):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(arguments[-1])
        seeds = _random_states(model)
        if keras.backend.backend() != "jax":
            before = [(seed, ops.copy(seed.value)) for seed in seeds]
            logs = step(*arguments)
            self.observe(*self._look_again(model, before, x, y, sample_weight))
            return logs
        # On JAX a step takes all variables and gives them back.
        before = [(variable, value) for variable, value in zip(model.non_trainable_variables, arguments[0][1])
                  if any(variable is seed for seed in seeds)]
        logs, (trainable, others, *rest) = step(*arguments)
        values = [*zip(model.trainable_variables, trainable), *zip(model.non_trainable_variables, others)]
        again = self._look_again(model, values + before, x, y, sample_weight)
        with keras.StatelessScope(state_mapping=values) as scope:
            self.observe(*again)
        others = [scope.get_current_value(variable) for variable in model.non_trainable_variables]
        return logs, (trainable, others, *rest)

    def _look_again(self, model, values, x, y, sample_weight):
        """Losses with variables at `values`, and which heads are present; whatever changes in this scope is dropped."""
        with keras.StatelessScope(state_mapping=values):
            losses, rows = model.task_losses(y, model(x, training=True), sample_weight)
            return self.as_vectors(losses, model.labelled(rows))

    def get_config(self):
        return {**super().get_config(), "learning_rate": self.learning_rate, "decay": self.decay}


def _random_states(model):
    """Variables of the random generators: those that are no weights."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.non_trainable_variables if id(variable) not in weights]
