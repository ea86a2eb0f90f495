"""Weights under which the heads' gradients have norms in proportion to how slowly they train."""

import keras
from keras import ops

from speechzoo.multitask.weighting.adam import Adam
from speechzoo.multitask.weighting.gradient import GradientWeighting

# A weight that a step would take below this stays there: the paper's weights are positive.
_SMALLEST_WEIGHT = 1e-3


@keras.saving.register_keras_serializable(package="speechzoo")
class GradNormWeighting(GradientWeighting):
    """GradNorm: learnt weights w pull each norm ||w x gradient|| towards the mean norm x r ** asymmetry.

    r is the head's loss as a fraction of its first one, relative to the mean of these fractions: a head that trains
    slowly gets a larger gradient. Norms are taken at the last shared layer's kernel only, so that their backward
    passes are short; the weights then apply to the losses, for all parameters, in one pass. Adam moves the weights.

    A head without labels in the batch keeps its weight and is in no mean; the others are scaled to keep their sum, so
    that all weights always sum to the number of heads. r begins with the first batch that has the head's labels.

    Reference: Chen et al. 2018, https://arxiv.org/abs/1711.02257, equations 1 and 2 and algorithm 1.

    Args:
        weights: Head -> factor of its loss, before the norms are taken.
        asymmetry: The paper's alpha; 0 makes all norms equal.
        learning_rate: Of the weights.

    Raises:
        ValueError: A negative asymmetry, or a learning rate that isn't above 0.
    """

    cost = "one backward pass, and for each head one down to the last shared layer"

    def __init__(self, weights: dict[str, float], asymmetry: float = 1.5, learning_rate: float = 0.025, **kwargs):
        super().__init__(weights, **kwargs)
        if asymmetry < 0 or learning_rate <= 0:
            raise ValueError(f"gradnorm needs asymmetry >= 0 and learning_rate > 0, got {asymmetry} and "
                             f"{learning_rate}")
        self.asymmetry, self.learning_rate = asymmetry, learning_rate
        self.factors = self.add_state("factor", 1.0)
        self.first_losses = self.add_state("first_loss")
        self.adam = Adam(self, learning_rate)

    def coefficients(self, gram, losses, present):
        factors, first = self.read(self.factors), self.read(self.first_losses)
        first = ops.where(ops.logical_and(first == 0, present > 0), losses, first)
        self.write(self.first_losses, first)
        count = ops.maximum(ops.sum(present), 1.0)
        norms = ops.sqrt(ops.diagonal(gram))
        weighted = factors * norms
        progress = present * losses / ops.where(first > 0, first, 1.0)
        rate = progress / ops.maximum(ops.sum(progress) / count, 1e-12)
        target = ops.sum(present * weighted) / count * ops.power(rate, self.asymmetry)
        # The derivative of |weighted - target| by the factor, the target being a constant.
        moved = factors + self.adam.step(ops.sign(weighted - target) * norms, present)
        moved = ops.maximum(moved, _SMALLEST_WEIGHT)
        moved = moved * ops.sum(present * factors) / ops.maximum(ops.sum(present * moved), 1e-12)
        self.write(self.factors, ops.where(present > 0, moved, factors))
        return factors

    def get_config(self):
        return {**super().get_config(), "asymmetry": self.asymmetry, "learning_rate": self.learning_rate}

    def all_gradients(self, tape, losses, variables, values, present, scale):
        by_head = self.gradients_by_head(tape, losses, variables)
        counts = self.heads_that_reach(by_head, variables)
        # In a graph, what of these gradients isn't used below is never computed.
        kernels = [index for index, count in enumerate(counts) if len(variables[index].shape) > 1]
        last = max(kernels, key=lambda index: (counts[index], index))
        if counts[last] < 2 and len(losses) > 1:  # what the heads share is frozen: there is nothing to weigh
            return super().all_gradients(tape, losses, variables, values, present, scale)
        factors = self.checked_coefficients(self.stack_rows(by_head, variables, [last]) / scale, values, present)
        factors = dict(zip(self.weights_of_heads, ops.unstack(factors)))
        return tape.gradient(list(losses.values()), [variable.value for variable in variables],
                             output_gradients=[factors[name] for name in losses])
