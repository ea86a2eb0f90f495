"""One label for the whole utterance."""

import keras
import numpy as np

from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.heads.pooled_head import PooledHead
from speechzoo.heads.softmax_cross_entropy import SoftmaxCrossEntropy, effective_number_weights, log_priors
from speechzoo.layers.quantizable import Dense
from speechzoo.metrics.calibration import find_temperature, find_threshold
from speechzoo.metrics.classification import weak_classes
from speechzoo.text.units import NOTHING_CLASSES

CALIBRATION_ROWS = 50
"""`CALIBRATION_ROWS` held-out recordings are needed to say how sure a head may be."""


@keras.saving.register_keras_serializable(package="speechzoo")
class ClassifierHead(PooledHead):
    """Attentive statistics pooling, then a softmax over classes.

    Four options are for unequal classes and wrong labels; they change the loss, not the output, and work together.
    `class_balance` and `logit_adjustment` go by how often an epoch draws each class (after `repeat`, `balance` and
    `source_temperature` of the data config), which `speechzoo train` counts in the manifests.

    Args:
        classes: Names of the classes. With `_unknown_` among them, every other label counts as unknown.
        hidden_size: Units of a dense layer before the softmax; 0 leaves it out.
        label_smoothing: Probability spread evenly over the classes.
        dropout: Dropout rate of the pooled vector.
        focal_gamma: Focal loss: the loss of a class with probability p counts (1 - p) ** focal_gamma, so that what is
            easy by now stops to matter; 2 is usual. Lin et al. 2017, https://arxiv.org/abs/1708.02002, equation 4.
        class_balance: Weighs each class by the inverse of its effective number, of this beta (0.99 to 0.9999; towards
            1 all classes weigh the same in sum). Cui et al. 2019, https://arxiv.org/abs/1901.05555, section 4.
        logit_adjustment: Adds this (tau; 1 is usual) times the log of the classes' shares to the logits in the loss
            alone, so that decisions are right for classes that are equally likely. Menon et al. 2021,
            https://arxiv.org/abs/2007.07314, equation 10.
        soft_bootstrap: Share of the model's own probabilities in its targets, against wrong labels (0.05 in the paper).
            Reed et al. 2015, https://arxiv.org/abs/1412.6596, section 3.2.
        hard_bootstrap: Share of the model's own decision in its targets (0.2 in the paper); the same.
        memory: Frames after which a frame's weight has fallen to 1 / e, for wake words in endless streams; 0 remembers
            the whole utterance.
        class_counts: Class -> number of training examples, for those who don't train with `speechzoo train`.

    Attributes:
        threshold: Weight (): the confidence below which the answer is None, of a head that has no class for "nothing";
            None of any other. 0 until `calibrate` has measured it: below it, less than two thirds of the answers for
            held-out recordings are right. It is not trained.
        weak: Weight (classes,): 1 of a class that isn't answered, because under half of its held-out recordings are
            right (`speechzoo.metrics.classification.weak_classes`); 0 of others. It is not trained.
        wake_doubts: Weight (classes,) of a head with the label `keyword`, None of any other: 1 less the mean posterior
            that a wake word needs, so that float16 keeps it; 0 where nobody has measured it, and below 0 where no
            posterior will do. It is not trained; `benchmarks/quality/wake_word.py --tune` measures it.

    Returns:
        Logits (batch, classes).

    Example:
        >>> ClassifierHead(["yes", "no", "_unknown_"], name="keyword").encode("maybe").item()
        2
    """

    def __init__(self, classes: list[str], hidden_size: int = 0, label_smoothing: float = 0.0, dropout: float = 0.2,
                 focal_gamma: float = 0.0, class_balance: float = 0.0, logit_adjustment: float = 0.0,
                 soft_bootstrap: float = 0.0, hard_bootstrap: float = 0.0, memory: float = 0.0,
                 class_counts: dict | None = None, **kwargs):
        super().__init__(classes, memory, **kwargs)
        self._check("focal_gamma", focal_gamma, focal_gamma >= 0, "0 or more")
        self._check("class_balance", class_balance, 0 <= class_balance < 1, "from 0 to below 1")
        self._check("logit_adjustment", logit_adjustment, logit_adjustment >= 0, "0 or more")
        own = soft_bootstrap + hard_bootstrap
        self._check("soft_bootstrap + hard_bootstrap", own, min(soft_bootstrap, hard_bootstrap) >= 0 and own < 1,
                    "from 0 to below 1")
        self._check("class_counts", class_counts, class_counts is None or isinstance(class_counts, dict) and
                    set(class_counts) == set(self.classes), "a number for each of the classes")
        self.hidden_size = hidden_size
        self.label_smoothing = label_smoothing
        self.dropout_rate = dropout
        self.focal_gamma = focal_gamma
        self.class_balance = class_balance
        self.logit_adjustment = logit_adjustment
        self.soft_bootstrap = soft_bootstrap
        self.hard_bootstrap = hard_bootstrap
        self.class_counts = class_counts
        options = {"dtype": self.dtype_policy}
        self.hidden = Dense(hidden_size, activation="relu", name="hidden", **options) if hidden_size else None
        self.dropout = keras.layers.Dropout(dropout, name="dropout", **options)
        self.logits = self.make_logits()
        self.threshold = self.weak = self.wake_doubts = None

    def make_logits(self):
        """The layer from what the pooling gave, or from the hidden layer, to logits; it has a `kernel` and a `bias`."""
        return Dense(len(self.classes), name="logits", dtype=self.dtype_policy)

    def build(self, frames_shape, *_):
        size = frames_shape[-1]
        if self.pooling is not None:
            self.pooling.build(frames_shape)
            size = 2 * size
        if self.hidden is not None:
            self.hidden.build((None, size))
            size = self.hidden_size
        self.logits.build((None, size))
        if NOTHING_CLASSES.isdisjoint(self.classes):
            self.threshold = self._add_measured("threshold", ())
        self.weak = self._add_measured("weak", (len(self.classes),))
        if self.label == "keyword":
            self.wake_doubts = self._add_measured("wake_doubts", (len(self.classes),))

    def _add_measured(self, name, shape):
        return self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)

    def classify(self, pooled, training=False):
        """Logits (batch, classes) of what the pooling gave: mean and deviation, (batch, 2 x channels)."""
        if self.hidden is not None:
            pooled = self.hidden(pooled)
        return self.logits(self.dropout(pooled, training=training))

    def spec(self):
        threshold = 0.0 if self.threshold is None else round(float(self.threshold), 4)
        weak = [] if self.weak is None else np.asarray(self.weak)
        doubts = [] if self.wake_doubts is None else np.asarray(self.wake_doubts, np.float64)
        measured = {
            "threshold": threshold, "weak": [name for name, is_weak in zip(self.classes, weak) if is_weak > 0.5],
            # None: no threshold will do.
            "wake_thresholds": {name: round(1 - doubt, 6) if doubt > 0 else None
                                for name, doubt in zip(self.classes, doubts) if doubt}}
        return {**super().spec(), **{name: value for name, value in measured.items() if value}}

    @property
    def optional_weights(self) -> list:
        # A file without them has answers to everything.
        return [weight for weight in (self.threshold, self.weak, self.wake_doubts) if weight is not None]

    @property
    def calibrated_weights(self) -> list:
        return [self.logits.kernel, self.logits.bias, *self.optional_weights]

    def calibrate(self, heard):
        """Divides the logits by the temperature at which the head is as sure as it is right, and sets `threshold` and
        `weak`; what wakes has to be measured anew."""
        logits, targets = (np.concatenate(parts) for parts in zip(*heard))
        if len(targets) < CALIBRATION_ROWS:
            return False
        self.find_weak(targets, logits.argmax(axis=1))
        temperature = find_temperature(logits, targets)
        for weight in (self.logits.kernel, self.logits.bias):
            weight.assign(weight / temperature)
        if self.threshold is not None:
            confidences = np.exp(log_softmax(logits / temperature)).max(axis=1)
            self.threshold.assign(find_threshold(confidences, logits.argmax(axis=1) == targets))
        return True

    def find_weak(self, targets: np.ndarray, answers: np.ndarray):
        """Sets `weak` from what was right and what was answered, int (recordings,) both, and forgets what wakes."""
        weak = weak_classes(targets, answers, len(self.classes))
        weak &= ~np.isin(self.classes, list(NOTHING_CLASSES))
        self.weak.assign(weak.astype(np.float32))
        if self.wake_doubts is not None:
            self.wake_doubts.assign(np.zeros(len(self.classes), np.float32))

    @property
    def needs_class_counts(self) -> bool:
        """Whether its loss goes by the classes' numbers and nobody has given them yet."""
        return bool(self.class_balance or self.logit_adjustment) and self.class_counts is None

    def adapt(self, names=None, class_counts=None):
        if class_counts is not None:
            self.class_counts = class_counts

    def loss(self):
        if self.needs_class_counts:
            raise ValueError(f"head '{self.name}': class_balance and logit_adjustment need the numbers of training "
                             "examples by class: train with `speechzoo train`, which counts them, or give class_counts")
        counts = np.array([self.class_counts[name] for name in self.classes]) if self.class_counts else None
        return SoftmaxCrossEntropy(
            self.label_smoothing, self.focal_gamma, self.soft_bootstrap, self.hard_bootstrap,
            effective_number_weights(counts, self.class_balance) if self.class_balance else None,
            self.logit_adjustment * log_priors(counts) if self.logit_adjustment else None, name=f"{self.name}_loss")

    def get_config(self):
        names = ("hidden_size", "label_smoothing", "focal_gamma", "class_balance", "logit_adjustment",
                 "soft_bootstrap", "hard_bootstrap", "class_counts")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}, "dropout": self.dropout_rate}
