"""The support vector machine's losses and kernel against NumPy, and that it learns what no line separates."""

import keras
import numpy as np
import pytest

from speechzoo.heads import SVMHead

SCORES = np.array([[2.0, 0.5, -1.0], [0.2, 0.1, 0.9], [-1.0, 3.0, 2.5]])
RIGHT = np.array([0, 1, 1])


@pytest.mark.parametrize("hinge, each", [
    ("crammer_singer", [0.0, 1 + 0.9 - 0.1, 1 + 2.5 - 3.0]),
    ("one_vs_rest", [0 + 1.5 + 0, 1.2 + 0.9 + 1.9, 0 + 0 + 3.5]),
])
def test_losses_worked_out_by_hand(hinge, each):
    loss = SVMHead(["a", "b", "c"], hinge=hinge, name="event").loss()
    for row in range(3):
        np.testing.assert_allclose(float(loss(RIGHT[row:row + 1], SCORES[row:row + 1])), each[row], rtol=1e-5, atol=1e-6)


def test_features_approximate_the_gaussian_kernel():
    keras.utils.set_random_seed(0)
    head = SVMHead(["a", "b"], fourier_features=6000, bandwidth=0.8, name="event")
    head.build((None, None, 3))
    points = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
    features = np.asarray(head.map_to_kernel(points))
    distances = ((points[:, None] - points[None]) ** 2).sum(-1)
    np.testing.assert_allclose(features @ features.T, np.exp(-distances / (2 * 0.8 ** 2 * 6)), atol=0.05)


def test_long_normals_cost():
    head = SVMHead(["a", "b"], l2=0.5, name="event")
    head.build((None, None, 2))
    head.logits.kernel.assign(np.full((4, 2), 3.0))
    np.testing.assert_allclose(float(sum(head.losses)), 0.5 * 9 * 8, rtol=1e-6)


@pytest.mark.parametrize("features, separates", [(0, False), (200, True)])
def test_the_kernel_learns_what_no_line_separates(features, separates):
    """Exclusive or, in utterances of two equal frames."""
    keras.utils.set_random_seed(0)
    points = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]], np.float32)
    frames, labels = np.repeat(points[:, None], 2, axis=1), np.array([0, 0, 1, 1])
    head = SVMHead(["same", "different"], fourier_features=features, l2=0.0, name="event")
    inputs = keras.Input((2, 2))
    model = keras.Model(inputs, head(inputs))
    head.pooling.trainable = False
    model.compile(keras.optimizers.Adam(0.1), head.loss(), metrics=["accuracy"], jit_compile=False)
    model.fit(frames, labels, epochs=40, verbose=0)
    accuracy = (model.predict(frames, verbose=0).argmax(-1) == labels).mean()
    assert (accuracy == 1.0) == separates


def test_wrong_options():
    with pytest.raises(ValueError, match="head 'event': hinge 'crammer' is not crammer_singer or one_vs_rest"):
        SVMHead(["a", "b"], hinge="crammer", name="event")
    with pytest.raises(ValueError, match="head 'event': bandwidth 0 is not above zero"):
        SVMHead(["a", "b"], bandwidth=0, name="event")
