"""Training and evaluation of a model with several heads."""

import dataclasses

import keras
from keras import ops

from speechzoo.multitask.batches import input_batches, join_outputs
from speechzoo.multitask.labelled_mean import LabelledMean
from speechzoo.multitask.task_metrics import TotalLoss, by_head, make_metrics


class TaskTraining:
    """Mixin before `keras.Model`: each head has its own loss and metrics, and a weighting combines the losses.

    Attributes:
        heads: Name of an output -> head.
        weighting: A `Weighting`.
        penalties: Layers whose `call(model, inputs, outputs)` is added to the loss of a training step; set them before
            `compile`.
    """

    def __call__(self, inputs, *arguments, **options):
        return super().__call__(self._own(inputs), *arguments, **options)

    def call(self, inputs, training=None, mask=None, **options):
        """As of a functional model. JAX calls it without `__call__`, and Keras takes inputs by the order of names."""
        return super().call(self._own(inputs), training=training, mask=mask, **options)

    def _own(self, inputs):
        """The inputs of the model itself; batches of a run may hold more, for its penalties."""
        if isinstance(inputs, dict) and len(inputs) > len(self.input):
            return {name: inputs[name] for name in self.input}
        return inputs

    def compile(self, optimizer="adamw", loss=None, loss_weights: dict | None = None, metrics=None, **kwargs):
        """Compiles with each head's own loss and metrics, and those given here.

        Args:
            optimizer: Keras optimizer or its name.
            loss: Head -> loss, for those that should not use their own; averaged over the labelled rows like these. A
                model with one head takes a loss alone.
            loss_weights: Head -> factor of its loss, in place of those that the weighting has.
            metrics: Head -> metric or list of metrics beside its own; over the labelled rows like these.
            **kwargs: As `keras.Model.compile`.

        Raises:
            ValueError: An argument names a head that the model doesn't have, or no head where there are several; or
                Keras computes in another type than float32 throughout, or did when the model was built.
        """
        for dtype in (keras.config.floatx(), self.dtype_policy.variable_dtype):
            if dtype != "float32":
                raise ValueError(f"models don't train throughout in {dtype}: call keras.config.set_floatx('float32') "
                                 "and keras.config.set_dtype_policy('mixed_float16'), 'mixed_bfloat16' or 'float32', "
                                 "then build the model anew")
        if kwargs.pop("weighted_metrics", None):
            raise ValueError("weighted_metrics: every metric counts rows by their weights here; give it as metrics")
        loss, metrics = by_head("loss", loss, self.heads), by_head("metrics", metrics, self.heads)
        loss_weights = by_head("loss_weights", loss_weights, self.heads)
        # XLA makes this network slower on CPUs; JAX knows nothing else.
        kwargs.setdefault("jit_compile", keras.backend.backend() == "jax")
        super().compile(optimizer=optimizer, loss=None, **kwargs)
        self.given_to_compile = CompileArguments(loss, metrics, loss_weights)
        self.weighting.weights_of_heads = self.weighting.initial_weights | {
            name: float(factor) for name, factor in loss_weights.items()}
        self.head_losses, self.training_losses = {}, {}
        for name, head in self.heads.items():
            if loss.get(name) is not None:
                self.head_losses[name] = self.training_losses[name] = LabelledMean(loss[name], name=f"{name}_loss")
            elif head.has_loss:
                self.head_losses[name], self.training_losses[name] = head.loss(), head.training_loss()
        self.total_tracker = TotalLoss(self._losses_of_heads, self.weighting)
        if self.penalties:
            self.penalty_tracker = keras.metrics.Mean(name="penalty", dtype="float32")
        self.loss_trackers = {name: keras.metrics.Mean(name=f"{name}_loss", dtype="float32")
                              for name in self.head_losses}
        self.head_metrics = {}
        for name in self.head_losses:
            given = make_metrics(self.heads[name], metrics.get(name) or [])
            names = [metric.name for metric in given]
            self.head_metrics[name] = given + [metric for metric in self.heads[name].metrics_for_fit()
                                               if metric.name not in names]

    @property
    def metrics(self) -> list:
        """Those of the last `compile`: the total loss, the heads' losses, the heads' metrics."""
        if not self.compiled:
            return []
        return [self.total_tracker, *([self.penalty_tracker] if self.penalties else []), *self.loss_trackers.values(),
                *[metric for metrics in self.head_metrics.values() for metric in metrics]]

    def fit(self, *arguments, class_weight=None, **options):
        """As `keras.Model.fit`.

        Raises:
            ValueError: `class_weight`, which says nothing where there are several heads.
        """
        if class_weight is not None:
            raise ValueError("class_weight isn't for models whose heads have classes of their own: give sample_weight="
                             "{head: weight of each row}, or class_balance to the head")
        return super().fit(*arguments, **options)

    def predict(self, x, batch_size: int | None = None, verbose="auto", steps: int | None = None,
                callbacks: list | None = None) -> dict:
        """Every head's output for every row, in order: NumPy arrays.

        Batches may differ in length: outputs by frame get the frames of the longest, and what follows a recording's own
        frames is marked as padding, as within a batch.

        Args:
            x: Inputs as arrays, or a dataset of batches: tf.data.Dataset, keras.utils.PyDataset, or any iterable.
            batch_size: Rows of a batch of arrays; 32 when None.
            verbose, steps, callbacks: As of `keras.Model.predict`.
        """
        batches, number = input_batches(x, batch_size, steps)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = keras.callbacks.CallbackList(callbacks, add_progbar=verbose != 0, verbose=verbose, epochs=1,
                                                     steps=number, model=self)
        self.stop_predicting = False
        callbacks.on_predict_begin()
        outputs = []
        for step, inputs in enumerate(batches):
            callbacks.on_predict_batch_begin(step)
            outputs.append(self.predict_on_batch(inputs))
            callbacks.on_predict_batch_end(step, {"outputs": outputs[-1]})
            if self.stop_predicting:
                break
        callbacks.on_predict_end()
        return join_outputs(outputs, self.heads)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Each head's mean loss over its labelled rows, combined by the weighting; updates the heads' metrics too."""
        losses, rows = self.task_losses(y, y_pred, sample_weight, training)
        total = self.weighting(losses, self.labelled(rows), training=training)
        extras = self.extra_losses(x, y_pred, training)
        self.update_metrics(y, y_pred, losses, rows, extras, training)
        return sum(extras, total)

    def extra_losses(self, x, y_pred, training: bool = True) -> list:
        """What no weighting touches: the losses that layers add, and in training the penalties."""
        extras = list(self.losses)
        if training and self.penalties:
            penalty = sum(part.call(self, x, y_pred) for part in self.penalties)
            self.penalty_tracker.update_state(penalty)
            extras.append(penalty)
        return extras

    def task_losses(self, y, y_pred, sample_weight=None, training: bool = True) -> tuple[dict, dict]:
        """The losses that the weighting combines, of the heads that `y` has targets for; of a training step or not.

        Returns:
            Head -> mean loss over its labelled rows, nats; head -> float32 (batch,), the rows' weights.
        """
        if not isinstance(y, dict):
            raise ValueError(f"targets must be a dict by head, such as {{'{next(iter(self.head_losses))}': ...}}; the "
                             f"model has: {', '.join(self.head_losses)}")
        losses, rows = {}, {}
        for name, loss in (self.training_losses if training else self.head_losses).items():
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

    def update_metrics(self, y, y_pred, losses: dict, rows: dict, extras: list, training: bool = True):
        """Counts one batch; `losses`, `rows` and `extras` as `task_losses` and `extra_losses` give them."""
        for name, loss in losses.items():
            self.loss_trackers[name].update_state(loss, sample_weight=ops.sum(rows[name]))
            if training and not self.heads[name].metrics_in_training:
                continue
            for metric in self.head_metrics[name]:
                metric.update_state(y[name], y_pred[name], sample_weight=rows[name])
        self.total_tracker.update_state(sum(extras, ops.zeros(())))

    def _losses_of_heads(self):
        """The heads' losses so far, and which heads have any."""
        losses = {name: tracker.result() for name, tracker in self.loss_trackers.items()}
        labelled = {name: ops.cast(tracker.count > 0, "float32") for name, tracker in self.loss_trackers.items()}
        return losses, labelled

    def train_step(self, *arguments):
        """One training step: Keras's own, unless the weighting needs more than the total loss."""
        return self.weighting.train_step(self, super().train_step, *arguments)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The values of the metrics that `compute_loss` has updated."""
        return self.get_metrics_result()

    # -- saving ------------------------------------------------------------------------------------------------------

    def get_compile_config(self) -> dict:
        """What `compile` was given, for `.keras` files."""
        if not self.compiled:
            return {}
        given = self.given_to_compile
        return {**super().get_compile_config(), **keras.saving.serialize_keras_object(
            {"loss": given.loss, "metrics": given.metrics, "loss_weights": given.loss_weights})}

    def compile_from_config(self, config: dict):
        """Compiles as the model was when it was saved, and makes the optimizer's variables."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)


@dataclasses.dataclass
class CompileArguments:
    """What `compile` was given by head. Not a dict, in which Keras would look for layers and metrics."""

    loss: dict
    metrics: dict
    loss_weights: dict
