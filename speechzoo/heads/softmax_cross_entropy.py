"""The loss of a softmax over classes, for classes and labels as they come: rare ones, hard ones, wrong ones."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="speechzoo")
class SoftmaxCrossEntropy(keras.losses.Loss):
    """Cross entropy between class indices (batch,) and logits (batch, classes), nats per example.

    With p the softmax of `logits + logit_offsets` and t the smoothed target, it is

        -class_weights[label] x sum over classes of ((1 - s - h) t + s p + h argmax(p)) x (1 - p) ** focal_gamma x log p

    where s and h are `soft_bootstrap` and `hard_bootstrap`, and argmax stands for the one-hot vector of it.

    Args:
        label_smoothing: Probability spread evenly over the classes.
        focal_gamma: Focusing exponent (Lin et al. 2017, https://arxiv.org/abs/1708.02002, equation 4).
        soft_bootstrap: Share of the model's own probabilities in the target (1 - beta of Reed et al. 2015,
            https://arxiv.org/abs/1412.6596, section 3.2, "soft").
        hard_bootstrap: Share of the model's own decision in the target (the same, "hard").
        class_weights: (classes,), factor of the loss of an example by its label; 1 when None.
        logit_offsets: (classes,), added to the logits; 0 when None.
    """

    def __init__(self, label_smoothing: float = 0.0, focal_gamma: float = 0.0, soft_bootstrap: float = 0.0,
                 hard_bootstrap: float = 0.0, class_weights: np.ndarray | None = None,
                 logit_offsets: np.ndarray | None = None, name="softmax_cross_entropy",
                 reduction="mean_with_sample_weight", **kwargs):
        super().__init__(name=name, reduction=reduction, **{"dtype": "float32", **kwargs})
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma
        self.soft_bootstrap = soft_bootstrap
        self.hard_bootstrap = hard_bootstrap
        self.class_weights = None if class_weights is None else np.asarray(class_weights, np.float32)
        self.logit_offsets = None if logit_offsets is None else np.asarray(logit_offsets, np.float32)

    def call(self, y_true, y_pred):
        """Targets int32 (batch,), logits (batch, classes) -> float32 (batch,), nats."""
        classes = y_pred.shape[-1]
        logits = y_pred if self.logit_offsets is None else y_pred + ops.cast(self.logit_offsets, y_pred.dtype)
        log_probabilities = ops.log_softmax(logits)
        probabilities = ops.exp(log_probabilities)
        label = ops.one_hot(ops.cast(y_true, "int32"), classes, dtype=log_probabilities.dtype)
        target = label * (1.0 - self.label_smoothing) + self.label_smoothing / classes
        own = self.soft_bootstrap + self.hard_bootstrap
        if own:
            decision = ops.one_hot(ops.argmax(logits, axis=-1), classes, dtype=log_probabilities.dtype)
            target = (1.0 - own) * target + self.soft_bootstrap * probabilities + self.hard_bootstrap * decision
        if self.focal_gamma:
            # Away from 0, where the derivative of a power below 1 is infinite.
            target = target * ops.power(ops.maximum(1.0 - probabilities, 1e-7), self.focal_gamma)
        loss = -ops.sum(target * log_probabilities, axis=-1)
        if self.class_weights is not None:
            loss = loss * ops.sum(label * ops.cast(self.class_weights, label.dtype), axis=-1)
        return loss

    def get_config(self):
        names = ("label_smoothing", "focal_gamma", "soft_bootstrap", "hard_bootstrap")
        arrays = {"class_weights": self.class_weights, "logit_offsets": self.logit_offsets}
        return {**super().get_config(), **{name: getattr(self, name) for name in names},
                **{name: None if array is None else array.tolist() for name, array in arrays.items()}}


def effective_number_weights(counts: np.ndarray, beta: float) -> np.ndarray:
    """Weights of classes in inverse proportion to the effective numbers of their examples.

    The effective number of n examples is (1 - beta ** n) / (1 - beta). Scaled so that their mean over the examples is
    1 (in the paper: over the classes), so that the task keeps its size beside the others.

    Args:
        counts: (classes,), examples of each class; a class without any counts as one of one.
        beta: 0 weighs all classes alike, towards 1 in inverse proportion to their counts.

    Returns:
        float64 (classes,).

    Reference: Cui et al. 2019, https://arxiv.org/abs/1901.05555, proposition 1 and section 4.
    """
    counts = np.maximum(np.asarray(counts, np.float64), 1.0)
    weights = 1.0 / -np.expm1(counts * np.log(beta)) if beta else np.ones(len(counts))
    return weights * counts.sum() / (weights * counts).sum()


def log_priors(counts: np.ndarray) -> np.ndarray:
    """Logarithms of the classes' shares, float64 (classes,); a class without examples counts as one of one."""
    counts = np.maximum(np.asarray(counts, np.float64), 1.0)
    return np.log(counts / counts.sum())
