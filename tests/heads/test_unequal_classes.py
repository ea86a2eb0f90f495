"""Rare, hard and wrongly labelled classes: the classifier's loss against NumPy, and what its options are for."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from speechzoo.heads import ClassifierHead

COUNTS = {"a": 90, "b": 9, "c": 1}
OPTIONS = [
    {}, {"focal_gamma": 2.0}, {"focal_gamma": 0.5, "label_smoothing": 0.1}, {"class_balance": 0.99},
    {"logit_adjustment": 1.5}, {"soft_bootstrap": 0.3}, {"hard_bootstrap": 0.2},
    {"focal_gamma": 1.0, "class_balance": 0.9, "logit_adjustment": 1.0, "soft_bootstrap": 0.1, "hard_bootstrap": 0.2,
     "label_smoothing": 0.2},
]


def loss_in_numpy(label, logits, focal_gamma=0.0, class_balance=0.0, logit_adjustment=0.0, soft_bootstrap=0.0,
                  hard_bootstrap=0.0, label_smoothing=0.0):
    """One example, straight from the papers."""
    counts = np.array([90.0, 9.0, 1.0])
    logits = logits + logit_adjustment * np.log(counts / 100)
    p = np.exp(logits) / np.exp(logits).sum()
    target = np.eye(3)[label] * (1 - label_smoothing) + label_smoothing / 3
    beta = 1 - soft_bootstrap - hard_bootstrap
    target = beta * target + soft_bootstrap * p + hard_bootstrap * np.eye(3)[p.argmax()]
    loss = -(target * (1 - p) ** focal_gamma * np.log(p)).sum()
    effective = (1 - class_balance ** counts) / (1 - class_balance)
    weights = 1 / effective
    return loss * weights[label] / ((weights * counts).sum() / 100)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "+".join(options) or "plain")
def test_loss_equals_numpy(options):
    loss = ClassifierHead(list("abc"), class_counts=COUNTS, name="event", **options).loss()
    logits = np.random.default_rng(0).standard_normal((6, 3)) * 2
    labels = np.array([0, 1, 2, 2, 1, 0])
    expected = [loss_in_numpy(label, row, **options) for label, row in zip(labels, logits)]
    np.testing.assert_allclose(np.asarray(loss.call(labels, logits.astype(np.float32))), expected, rtol=1e-4)


def test_weights_worked_out_by_hand():
    # Effective numbers 1.5 and 1 of two examples and one, so weights 2/3 and 1, whose mean over the three is 7/9.
    head = ClassifierHead(["a", "b"], class_balance=0.5, class_counts={"a": 2, "b": 1}, name="event")
    np.testing.assert_allclose(head.loss().class_weights, [6 / 7, 9 / 7], rtol=1e-6)
    # Towards 1 the classes weigh the same in sum.
    head = ClassifierHead(["a", "b"], class_balance=1 - 1e-9, class_counts={"a": 30, "b": 10}, name="event")
    np.testing.assert_allclose(head.loss().class_weights, [40 / 60, 40 / 20], rtol=1e-5)


def test_a_class_that_never_comes_is_no_infinity():
    head = ClassifierHead(["a", "b"], class_balance=0.9, logit_adjustment=1.0, class_counts={"a": 5, "b": 0},
                          name="event")
    assert np.isfinite(head.loss().class_weights).all() and np.isfinite(head.loss().logit_offsets).all()


def test_certainty_has_a_finite_gradient():
    logits = tf.constant([[40.0, 0.0], [0.0, 40.0]])
    loss = ClassifierHead(["a", "b"], focal_gamma=0.5, soft_bootstrap=0.1, name="event").loss()
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(np.array([0, 0]), logits)
    assert np.isfinite(tape.gradient(value, logits)).all() and float(value) > 0


def learn(points, labels, steps, rate, layers, **options):
    """A classifier of points, trained by full batches; returns the classes that it decides for."""
    keras.utils.set_random_seed(0)
    loss = ClassifierHead(["common", "rare"], name="event", **options).loss()
    model = keras.Sequential(layers())
    model.build((None, points.shape[-1]))
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(labels, model(points))
        optimizer.apply(tape.gradient(value, [variable.value for variable in model.trainable_variables]))

    for _ in range(steps):
        step()
    return lambda points: np.asarray(model(points)).argmax(-1)


def clouds(seed, common, rare, size, distance):
    random = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [common, rare])
    points = random.standard_normal((common + rare, size))
    points[:, 0] += distance * labels
    return points.astype(np.float32), labels


def linear():
    return [keras.layers.Dense(2, kernel_initializer="zeros")]


@pytest.mark.parametrize("options, steps", [
    ({"class_balance": 0.999}, 60), ({"logit_adjustment": 1.0}, 60), ({"focal_gamma": 2.0}, 15)],
    ids=["class_balance", "logit_adjustment", "focal"])
def test_the_rare_class_is_recalled(options, steps):
    """95 to 5; a focal loss finds it sooner, the others for good."""
    points, labels = clouds(0, 950, 50, 2, 2.0)
    unseen, truth = clouds(1, 500, 500, 2, 2.0)
    counts = {"class_counts": {"common": 950, "rare": 50}}
    recall, accuracy = [], []
    for changes in ({}, {**counts, **options}):
        decided = learn(points, labels, steps, 0.1, linear, **changes)(unseen)
        recall.append((decided[truth == 1] == 1).mean())
        accuracy.append((decided == truth).mean())
    assert recall[1] > recall[0] + 0.1
    assert accuracy[1] > accuracy[0] + 0.05  # where both are as frequent, it doesn't just say "rare"


def test_wrong_labels_are_learnt_less():
    points, labels = clouds(2, 60, 60, 10, 3.0)
    wrong = np.random.default_rng(5).random(len(labels)) < 0.3
    given = np.where(wrong, 1 - labels, labels)

    def layers():
        return [keras.layers.Dense(32, "relu"), keras.layers.Dense(2)]

    fooled = [(learn(points, given, 60, 0.01, layers, **options)(points) == given)[wrong].mean()
              for options in ({}, {"soft_bootstrap": 0.4}, {"hard_bootstrap": 0.4})]
    assert fooled[1] < fooled[0] - 0.05 and fooled[2] < fooled[0] - 0.05


@pytest.mark.parametrize("option, value, rule", [
    ("focal_gamma", -1.0, "0 or more"), ("class_balance", 1.0, "from 0 to below 1"),
    ("logit_adjustment", -0.5, "0 or more"), ("hard_bootstrap", 1.0, "from 0 to below 1"),
    ("soft_bootstrap", -0.1, "from 0 to below 1"), ("class_counts", {"a": 1}, "a number for each of the classes")])
def test_options_that_mean_nothing(option, value, rule):
    with pytest.raises(ValueError, match=f"head 'event': .*{option}.* must be {rule}, got"):
        ClassifierHead(["a", "b"], name="event", **{option: value})


def test_counts_that_nobody_gave_are_asked_for():
    head = ClassifierHead(["a", "b"], logit_adjustment=1.0, name="event")
    assert head.needs_class_counts
    with pytest.raises(ValueError, match="head 'event': class_balance and logit_adjustment need the numbers"):
        head.loss()
    head.class_counts = {"a": 3.0, "b": 1.0}
    assert not head.needs_class_counts
    np.testing.assert_allclose(head.loss().logit_offsets, np.log([0.75, 0.25]), rtol=1e-6)
