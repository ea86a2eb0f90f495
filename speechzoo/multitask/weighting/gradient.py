"""What every weighting of gradients has in common."""

import math

import keras
from keras import ops

from speechzoo.multitask.weighting.weighting import Weighting


class GradientWeighting(Weighting):
    """Weighs the heads' gradients of the parameters that they share; the others get their own head's gradient.

    Shared is what the losses of two heads or more reach, found from the network itself: the front end, and the backbone
    up to where the second-deepest head attaches. Every method here combines the gradients linearly and finds the
    coefficients from their inner products, so it implements `coefficients` alone. A head without labels in the batch
    (or whose gradient is 0) is not among the tasks of that step: its coefficient is 0, its own parameters get a
    gradient of 0, and no state for it moves. Unless a method says otherwise its coefficients are scaled so that for
    gradients that agree they give the plain sum, and not, as in most papers, the mean: a batch with the labels of one
    head teaches as much as under `static`.

    Needs TensorFlow: Keras has no gradients of its own. A model trained with it runs and evaluates on every backend.
    """

    cost = "a backward pass for each head"

    def coefficients(self, gram, losses, present):
        """The factors of the heads' gradients in their combination.

        Args:
            gram: float32 (heads, heads), inner products of the gradients; rows and columns of absent heads are 0.
            losses: float32 (heads,), times their factors in the config.
            present: float32 (heads,), 1 for a head with a gradient.

        Returns:
            float32 (heads,); what it says for an absent head doesn't matter.
        """
        return ops.ones_like(losses)

    def combine(self, gradients, losses=None, present=None):
        """One gradient from the heads' gradients.

        Args:
            gradients: float32 (heads, parameters).
            losses: float32 (heads,); 1 each when None.
            present: float32 (heads,), 1 for a head with labels in the batch; all when None.

        Returns:
            float32 (parameters,).
        """
        factors = self.checked_coefficients(gradients, losses, present)
        return ops.sum(factors[:, None] * gradients, axis=0)

    def checked_coefficients(self, gradients, losses=None, present=None):
        """`coefficients` of these gradients, 0 for absent heads; arguments as of `combine`."""
        ones = ops.ones((gradients.shape[0],))
        # Sums of products, because matrix products may round to 10 bits on some devices.
        gram = ops.stack([ops.sum(gradients * gradients[head], axis=-1) for head in range(gradients.shape[0])])
        present = ops.cast(ops.diagonal(gram) > 0, "float32") * (ones if present is None else present)
        gram = gram * present[:, None] * present
        return present * self.coefficients(gram, ones if losses is None else losses, present)

    def scaled_losses(self, losses: dict, labelled: dict) -> dict:
        """The losses whose gradients are taken: times their factors in the config."""
        return {name: self.weights_of_heads[name] * loss for name, loss in losses.items()}

    # -- training ----------------------------------------------------------------------------------------------------

    def check_backend(self):
        if keras.backend.backend() != "tensorflow":
            raise ValueError(f"{type(self).__name__} takes the heads' gradients one by one, which needs the TensorFlow "
                             f"backend, not '{keras.backend.backend()}'; set KERAS_BACKEND=tensorflow, or "
                             "take a weighting of losses: static, uncertainty, dwa, rlw, famo")

    def train_step(self, model, step, *arguments):
        self.check_backend()
        import tensorflow as tf

        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(arguments[-1])
        variables, optimizer = model.trainable_variables, model.optimizer
        with tf.GradientTape(persistent=True) as tape:
            outputs = model(x, training=True)
            losses, rows = model.task_losses(y, outputs, sample_weight)
            labelled = model.labelled(rows)
            # Mixed precision scales losses, and unscales gradients when it applies them.
            scaled = {name: optimizer.scale_loss(loss)
                      for name, loss in self.scaled_losses(losses, labelled).items()}
            extras = model.extra_losses(x, outputs)
            penalty = optimizer.scale_loss(sum(extras)) if extras else None
        vectors = self.as_vectors(losses, labelled)
        gradients = self.all_gradients(tape, scaled, variables, *vectors, optimizer.scale_loss(1.0))
        if penalty is not None:
            extra = tape.gradient(penalty, [variable.value for variable in variables])
            gradients = [one if two is None else two if one is None else one + two
                         for one, two in zip(gradients, extra)]
        optimizer.apply_gradients(zip(gradients, variables))
        model.update_metrics(y, outputs, losses, rows, extras)
        return model.compute_metrics(x, y, outputs, sample_weight)

    def all_gradients(self, tape, losses: dict, variables: list, values, present, scale) -> list:
        """The gradient of each variable; None for those that no loss reaches.

        Args:
            tape: Persistent `tf.GradientTape` that has recorded the losses.
            losses: Head -> loss to differentiate, times `scale`.
            variables: Keras variables.
            values: float32 (heads,), the losses as `coefficients` takes them.
            present: float32 (heads,).
            scale: Factor that mixed precision puts on losses.
        """
        by_head = self.gradients_by_head(tape, losses, variables)
        counts = self.heads_that_reach(by_head, variables)
        shared = [index for index, count in enumerate(counts) if count > 1]
        combined = {}
        if shared:
            rows = self.stack_rows(by_head, variables, shared)
            factors = self.checked_coefficients(rows / scale, values, present)
            flat, start = ops.sum(factors[:, None] * rows, axis=0), 0
            for index in shared:
                shape = variables[index].shape
                combined[index] = ops.reshape(flat[start:start + math.prod(shape)], shape)
                start += math.prod(shape)
        return [combined[index] if index in combined
                else next((gradients[index] for gradients in by_head.values() if gradients[index] is not None), None)
                for index in range(len(variables))]

    @staticmethod
    def gradients_by_head(tape, losses, variables):
        """Head -> gradients of its loss, None for variables that it doesn't reach."""
        # The tape knows the backend's variables, not Keras's.
        sources = [variable.value for variable in variables]
        return {name: tape.gradient(loss, sources) for name, loss in losses.items()}

    @staticmethod
    def heads_that_reach(by_head, variables):
        """For each variable, the number of heads whose losses reach it."""
        return [sum(gradients[index] is not None for gradients in by_head.values()) for index in range(len(variables))]

    def stack_rows(self, by_head, variables, chosen):
        """Gradients of the variables of the numbers `chosen`, flat: float32 (heads, parameters)."""
        rows = []
        for name in self.weights_of_heads:
            gradients = by_head.get(name, [None] * len(variables))
            parts = [ops.zeros((math.prod(variables[index].shape),)) if gradients[index] is None
                     else ops.reshape(ops.cast(gradients[index], "float32"), (-1,)) for index in chosen]
            rows.append(ops.concatenate(parts))
        return ops.stack(rows)

