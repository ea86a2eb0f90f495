"""VTLN: what the warp does to frequencies, and that it is found."""

import keras
import numpy as np
import pytest

from speechzoo.frontends import VTLN
from tests.helpers import run_layer

RATE = 16000


def vowel(factor, seconds=0.5):
    """Harmonics of 100 Hz under formants at 700, 1200 and 2600 Hz times a factor."""
    time, audio = np.arange(round(seconds * RATE)) / RATE, 0.0
    for harmonic in range(1, 70):
        hertz = 100.0 * harmonic
        height = sum(np.exp(-0.5 * ((hertz - factor * formant) / 120.0) ** 2) for formant in (700, 1200, 2600))
        audio = audio + height * np.sin(2 * np.pi * hertz * time + harmonic)
    return (0.05 * audio).astype(np.float32)


def built(**options):
    layer = VTLN(**options)
    layer.build()
    return layer


def test_a_factor_of_one_changes_nothing():
    matrices = np.asarray(built(num_mel_bins=40).warp_matrices(np.ones((2, 1), np.float32)))
    np.testing.assert_allclose(matrices, np.broadcast_to(np.eye(40), (2, 40, 40)), atol=1e-4)


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.2])
def test_bins_get_what_stands_at_the_factor_times_their_frequency(factor):
    layer = built(num_mel_bins=40)
    matrix, = np.asarray(layer.warp_matrices(np.full((1, 1), factor, np.float32)))
    np.testing.assert_allclose(matrix.sum(0), 1.0, atol=1e-4)
    # The frequencies themselves, warped as features would be: piecewise linear, and the highest stays.
    warped, straight = layer.centres @ matrix, layer.centres <= 0.8 * 8000 / max(factor, 1.0)
    inside = straight & (factor * layer.centres > layer.centres[0])
    np.testing.assert_allclose(warped[inside], factor * layer.centres[inside], rtol=0.01)
    assert np.all(np.diff(warped) >= -1e-3) and warped[-1] > layer.centres[-2]


def test_a_warp_makes_a_long_throat_a_short_one():
    layer = built(num_mel_bins=40, warp=0.0, perturbation=0.0)
    energies = [np.asarray(layer.mel.log_energies(vowel(factor)[None]))[0].mean(0) for factor in (1.0, 1.15)]
    matrix, = np.asarray(layer.warp_matrices(np.full((1, 1), 1.15, np.float32)))
    before, after = (np.corrcoef(energies[0][:30], other[:30])[0, 1] for other in (energies[1], energies[1] @ matrix))
    assert after > 0.95 > 0.9 > before


def test_the_factor_learns_to_undo_what_throats_do():
    """Trained to make vowels of many throats alike, the network tells the throats apart."""
    keras.utils.set_random_seed(0)
    factors = np.linspace(0.88, 1.12, 9)
    layer = built(num_mel_bins=40, perturbation=0.0)
    audio = np.stack([vowel(factor, 0.25) for factor in factors])
    energies = layer.mel.log_energies(audio)
    moments = np.asarray(energies).mean(1, keepdims=True), np.asarray(energies).std(1, keepdims=True)
    target = np.asarray(energies)[4].mean(0)
    import tensorflow as tf
    optimizer = keras.optimizers.Adam(0.01)
    for _ in range(150):
        with tf.GradientTape() as tape:
            warped = keras.ops.matmul(energies, layer.warp_matrices(layer.factors(*moments)))
            loss = keras.ops.mean(keras.ops.square(keras.ops.mean(warped, axis=1) - target))
        optimizer.apply(tape.gradient(loss, layer.trainable_weights), layer.trainable_weights)
    found = np.asarray(layer.factors(*moments))[:, 0]
    assert np.corrcoef(found, factors)[0, 1] > 0.95


def test_training_draws_factors_and_answering_does_not():
    audio = np.stack([vowel(1.0)] * 2)
    layer = built(num_mel_bins=20, perturbation=0.2)
    (first,), _ = run_layer(layer, audio, training=True)
    (answer,), _ = run_layer(layer, audio)
    (again,), _ = run_layer(layer, audio)
    assert np.abs(first[0] - first[1]).max() > 0.01 and np.array_equal(answer, again)
    np.testing.assert_allclose(answer[0], answer[1], atol=1e-5)


def test_distances_that_make_no_sense():
    with pytest.raises(ValueError, match="vtln: warp 0.5 is not between 0 and 0.3"):
        VTLN(warp=0.5)
