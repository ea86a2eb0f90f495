"""Looking at a model between two training steps: every head's gradients, and its loss where other parameters are."""

import keras
import numpy as np
import tensorflow as tf

from speechzoo.multitask.relatedness import gradient_cosines, lookahead_affinities


class Probe:
    """Measures, on batches and without changing anything, how the heads of a model affect each other.

    All passes of one measurement start from the same state: the same dropout, the same statistics.

    Args:
        model: A compiled MultiTaskModel on the TensorFlow backend.
        rate: Learning rate of the step that the affinities look ahead.

    Raises:
        ValueError: Another backend.
    """

    def __init__(self, model: keras.Model, rate: float):
        if keras.backend.backend() != "tensorflow":
            raise ValueError("gradients of single heads need the TensorFlow backend, not "
                             f"'{keras.backend.backend()}'; set KERAS_BACKEND=tensorflow")
        self.model, self.rate = model, rate
        self.heads = list(model.head_losses)
        # One graph each, whatever the length of the batch.
        self._losses = tf.function(self._compute_losses, autograph=False, reduce_retracing=True)
        self._gradients = tf.function(self._compute_gradients, autograph=False, reduce_retracing=True)

    def measure(self, batches: list) -> tuple[np.ndarray, np.ndarray]:
        """Affinities and cosines of gradients at this point of the training.

        Each head is looked at on the one of `batches` that has most of its labels, so that heads whose labels come from
        different corpora can be compared; on one batch with all labels this is the papers' measure.

        Args:
            batches: `({"audio", "audio_length"}, {head: target}, {head: weight})` of tensors.

        Returns:
            `lookahead_affinities` and `gradient_cosines`, float64 (heads, heads) each; NaN for a head without labels.
        """
        chosen = self._choose(batches)
        trainable = [tf.convert_to_tensor(variable.value) for variable in self.model.trainable_variables]
        fixed = [tf.convert_to_tensor(variable.value) for variable in self.model.non_trainable_variables]
        gradients = {}
        for number in sorted(set(chosen.values())):
            by_head = self._gradients(trainable, fixed, batches[number])
            gradients.update({head: by_head[head] for head in chosen if chosen[head] == number})
        gradients = _of_shared({head: gradients[head] for head in chosen})

        def losses_of(parameters):
            found = {}
            for number in sorted(set(chosen.values())):
                losses = self._losses(parameters, fixed, batches[number])
                found.update({head: losses[head] for head in chosen if chosen[head] == number})
            return found

        affinity, cosine = np.full((2, len(self.heads), len(self.heads)), np.nan)
        seen = np.ix_(*[[self.heads.index(head) for head in chosen]] * 2)
        affinity[seen] = lookahead_affinities(trainable, gradients, losses_of, self.rate)
        cosine[seen] = gradient_cosines(gradients)
        return affinity, cosine

    def _choose(self, batches):
        """Head -> number of the batch with most of its labels; without the heads that none has labels of."""
        counts = {head: [float(np.sum(weights[head])) for _, _, weights in batches] for head in self.heads}
        return {head: int(np.argmax(labels)) for head, labels in counts.items() if max(labels) > 0}

    def _compute_losses(self, trainable, fixed, batch):
        inputs, targets, weights = batch
        outputs, _ = self.model.stateless_call(trainable, fixed, inputs, training=True)
        losses, _ = self.model.task_losses(targets, outputs, weights)
        return losses

    def _compute_gradients(self, trainable, fixed, batch):
        factors = self.model.weighting.weights_of_heads
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(trainable)
            losses = self._compute_losses(trainable, fixed, batch)
            scaled = {name: factors[name] * loss for name, loss in losses.items()}
        return {name: tape.gradient(loss, trainable) for name, loss in scaled.items()}


def _of_shared(gradients):
    """The gradients of what two heads or more reach; None in place of the others."""
    reached = np.sum([[step is not None for step in steps] for steps in gradients.values()], axis=0)
    return {head: [step if count > 1 else None for step, count in zip(steps, reached)]
            for head, steps in gradients.items()}
