"""Training and evaluation of a model with several heads."""

import keras
from keras import ops

from speechzoo.multitask.labelled_mean import LabelledMean


class TaskTraining:
    """Mixin before `keras.Model`: each head has its own loss and metrics, and a weighting combines the losses.

    Attributes:
        heads: Name of an output -> head.
        weighting: A `Weighting`.
        penalties: Layers whose `call(model, inputs, outputs)` is added to the loss of a training step; set them before
            `compile`.
    """

    def compile(self, optimizer="adamw", loss: dict | None = None, **kwargs):
        """Compiles with each head's own loss and metrics.

        Args:
            optimizer: Keras optimizer or its name.
            loss: Head -> loss, for those that should not use their own; averaged over the labelled rows like these.
            **kwargs: As `keras.Model.compile`, without `loss_weights` (the weighting has them) and `metrics`.

        Raises:
            ValueError: `loss` names a head that the model doesn't have.
        """
        unknown = set(loss or {}) - set(self.heads)
        if unknown:
            raise ValueError(f"loss for unknown head '{unknown.pop()}'; the model has: {', '.join(self.heads)}")
        # XLA makes this network slower on CPUs; JAX knows nothing else.
        kwargs.setdefault("jit_compile", keras.backend.backend() == "jax")
        super().compile(optimizer=optimizer, loss=None, **kwargs)
        self.head_losses = {}
        self.head_metrics = {}
        for name, head in self.heads.items():
            if name in (loss or {}):
                self.head_losses[name] = LabelledMean(loss[name], name=f"{name}_loss")
            elif head.has_loss:
                self.head_losses[name] = head.loss()
        self.total_tracker = keras.metrics.Mean(name="loss")
        if self.penalties:
            self.penalty_tracker = keras.metrics.Mean(name="penalty")
        self.loss_trackers = {name: keras.metrics.Mean(name=f"{name}_loss") for name in self.head_losses}
        self.head_metrics = {name: self.heads[name].metrics_for_fit() for name in self.head_losses}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Each head's mean loss over its labelled rows, combined by the weighting; updates the heads' metrics too."""
        losses, rows = self.task_losses(y, y_pred, sample_weight)
        total = self.weighting(losses, self.labelled(rows), training=training)
        for extra in self.extra_losses(x, y_pred, training):
            total = total + extra
        self.update_metrics(y, y_pred, losses, rows, total, training)
        return total

    def extra_losses(self, x, y_pred, training: bool = True) -> list:
        """What no weighting touches: the losses that layers add, and in training the penalties."""
        extras = list(self.losses)
        if training and self.penalties:
            penalty = sum(part.call(self, x, y_pred) for part in self.penalties)
            self.penalty_tracker.update_state(penalty)
            extras.append(penalty)
        return extras

    def task_losses(self, y, y_pred, sample_weight=None) -> tuple[dict, dict]:
        """The losses that the weighting combines, of the heads that `y` has targets for.

        Returns:
            Head -> mean loss over its labelled rows, nats; head -> float32 (batch,), the rows' weights.
        """
        losses, rows = {}, {}
        for name, loss in self.head_losses.items():
            if name not in y:
                continue
            weight = sample_weight.get(name) if isinstance(sample_weight, dict) else sample_weight
            if weight is None:
                weight = ops.ones((ops.shape(y_pred[name])[0],))
            rows[name] = ops.cast(weight, "float32")
            losses[name] = loss(y[name], y_pred[name], sample_weight=rows[name])
        if not losses:
            raise ValueError(f"the batch has targets for {', '.join(y) or 'no head'}; the model has: "
                             f"{', '.join(self.head_losses)}")
        return losses, rows

    @staticmethod
    def labelled(rows: dict) -> dict:
        """Head -> 1.0 when any of its rows has weight, else 0.0."""
        return {name: ops.cast(ops.sum(weight) > 0, "float32") for name, weight in rows.items()}

    def update_metrics(self, y, y_pred, losses: dict, rows: dict, total, training: bool = True):
        """Counts one batch; `losses` and `rows` as `task_losses` gives them."""
        for name, loss in losses.items():
            self.loss_trackers[name].update_state(loss, sample_weight=ops.sum(rows[name]))
            if training and not self.heads[name].metrics_in_training:
                continue
            for metric in self.head_metrics[name]:
                metric.update_state(y[name], y_pred[name], sample_weight=rows[name])
        self.total_tracker.update_state(total)

    def train_step(self, *arguments):
        """One training step: Keras's own, unless the weighting needs more than the total loss."""
        return self.weighting.train_step(self, super().train_step, *arguments)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The values of the metrics that `compute_loss` has updated."""
        return self.get_metrics_result()
