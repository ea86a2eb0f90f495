"""Any loss as a mean over labelled rows."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="speechzoo")
class LabelledMean(keras.losses.Loss):
    """Another loss, averaged over the rows with weight only, as the heads' own losses are.

    Keras's default reduction divides by all rows, which would shrink a rare task by its share of labels.

    Args:
        loss: Keras loss, its name, or a function (y_true, y_pred) -> (batch, ...).
    """

    def __init__(self, loss, name="labelled_mean", reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})
        self.loss = keras.losses.get(loss)

    def call(self, y_true, y_pred):
        """Targets and predictions (batch, ...) -> float32 (batch,), means over all other axes."""
        by_row = self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss
        values = by_row(y_true, y_pred)
        return ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=-1)

    def get_config(self):
        return {**super().get_config(), "loss": keras.saving.serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})
