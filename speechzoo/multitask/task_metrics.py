"""What `fit` and `evaluate` print of a model with several heads: its loss, and metrics by head."""

from collections.abc import Callable

import keras
from keras import ops


class TotalLoss(keras.metrics.Mean):
    """The heads' losses, each over all its labelled rows so far, as one number, and the mean of what is added to them.

    A mean of the batches' totals would shrink a head by the share of the batches that have labels for it, and change
    with the size of the batches.

    Args:
        losses_of_heads: () -> (head -> mean loss so far, head -> 1.0 if it had labels, else 0.0).
        weighting: The `Weighting` that combines them. What it learns is copied with every batch: where JAX asks for the
            result, it knows the variables of metrics alone, and would take all others as they were when it compiled.
    """

    def __init__(self, losses_of_heads: Callable, weighting: keras.layers.Layer, name="loss", **kwargs):
        super().__init__(name=name, **{"dtype": "float32", **kwargs})
        self.losses_of_heads = losses_of_heads
        self.weighting = weighting
        self.learnt = [self.add_variable(variable.shape, "zeros", dtype=variable.dtype, name=f"learnt_{number}")
                       for number, variable in enumerate(weighting.trainable_variables)]

    def update_state(self, values, sample_weight=None):
        super().update_state(values, sample_weight)
        for copy, variable in zip(self.learnt, self.weighting.trainable_variables):
            copy.assign(variable)

    def result(self):
        losses, labelled = self.losses_of_heads()
        learnt = [ops.convert_to_tensor(copy) for copy in self.learnt]
        with keras.StatelessScope(state_mapping=list(zip(self.weighting.trainable_variables, learnt))):
            total = self.weighting(losses, labelled, training=False)
        return total + super().result()


class HeadMetric(keras.metrics.Metric):
    """A metric that `compile` was given for a head, under Keras's name for it: `<head>_<metric>`.

    Args:
        head: Name of the head.
        metric: The metric.
    """

    def __init__(self, head: str, metric: keras.metrics.Metric, **kwargs):
        super().__init__(name=f"{head}_{metric.name}", **kwargs)
        self.metric = metric

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.metric.update_state(y_true, y_pred, sample_weight=sample_weight)

    def result(self):
        return self.metric.result()

    def reset_state(self):
        self.metric.reset_state()


def by_head(argument: str, value, heads: dict) -> dict:
    """An argument of `compile` by head; of a model with one head it may stand alone.

    Raises:
        ValueError: It doesn't name heads, or heads that the model doesn't have.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        if len(heads) > 1:
            raise ValueError(f"{argument} must be a dict by head, such as {{'{next(iter(heads))}': ...}}, because the "
                             f"model has several heads: {', '.join(heads)}")
        value = {next(iter(heads)): value}
    unknown = set(value) - set(heads)
    if unknown:
        raise ValueError(f"{argument} for unknown head '{unknown.pop()}'; the model has: {', '.join(heads)}")
    return value


def make_metrics(head, metrics) -> list[HeadMetric]:
    """The metrics that `compile` was given for one head.

    Args:
        head: The head.
        metrics: Keras metric, its name, a function (y_true, y_pred) -> (batch,), or a list of these. `accuracy` is
            that of a class index, and so is for heads with one label for an utterance only.

    Raises:
        ValueError: An accuracy of a head that has other labels.
    """
    made = []
    for metric in metrics if isinstance(metrics, list | tuple) else [metrics]:
        if metric in ("accuracy", "acc"):
            if head.target_shape:
                raise ValueError(f"metrics: '{metric}' is for class indices, and head '{head.name}' has sequences; it "
                                 "has a metric of its own, or give a keras.metrics.Metric")
            metric = keras.metrics.SparseCategoricalAccuracy(name=metric)
        metric = keras.metrics.get(metric)
        if not isinstance(metric, keras.metrics.Metric):
            metric = keras.metrics.MeanMetricWrapper(metric, name=metric.__name__)
        made.append(HeadMetric(head.name, metric))
    return made
