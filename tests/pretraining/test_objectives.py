"""Each objective on a problem with a known answer, and that none sees what it shall guess."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from speechzoo.backbones import Conformer
from speechzoo.pretraining import APC, OBJECTIVES, BestRQ, MaskedPrediction
from speechzoo.pretraining.objective import RowLoss
from tests.pretraining.toy import described, noise, on_features

CAUSAL = {"causal": True, "chunk": 2, "left_context": 4, "normalization": "layer"}
LENGTHS = np.array([48, 41], np.int32)


def conformer(**options):
    return Conformer(**{"size": 8, "num_blocks": 1, "num_heads": 2, "feed_forward_size": 12, "kernel_size": 5,
                        "subsampling_channels": 4, "dropout": 0.0, "normalization": "layer", **options})


def padded(features, lengths):
    return features * (np.arange(features.shape[1])[:, None] < lengths[:, None, None])


def normalized(row):
    return (row - row.mean(axis=0)) / np.sqrt(row.var(axis=0) + 1e-5)


def stacked(values, number):
    """(frames, bins) -> (output frames, number x bins), zero behind the end."""
    missing = -len(values) % number
    return np.pad(values, ((0, missing), (0, 0))).reshape(-1, number * values.shape[1])


def fit(model, features, lengths, epochs, rate):
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, epochs)), RowLoss())
    inputs = {"features": features, "lengths": np.asarray(lengths, np.int32)}
    model.fit(inputs, np.zeros(len(features)), batch_size=len(features), epochs=epochs, verbose=0)
    return float(np.mean(model.predict_on_batch(inputs)[:, 0]))


@pytest.mark.parametrize("frames_ahead", [1, 3])
def test_apc_reaches_the_error_of_the_best_prediction(frames_ahead):
    """x(t) = a x(t-1) + e: nobody errs less than E|e| of n steps, sqrt(2 / pi (1 - a^2n)) deviations of x."""
    a, random = 0.8, np.random.default_rng(1)
    innovations = random.standard_normal((4, 2000, 2))
    signal = np.zeros_like(innovations)
    for step in range(1, 2000):
        signal[:, step] = a * signal[:, step - 1] + innovations[:, step]
    model = on_features(APC(shift_seconds=0.01 * frames_ahead, name="apc"), 2)
    error = fit(model, signal.astype(np.float32), [2000] * 4, epochs=60, rate=0.08)
    assert error == pytest.approx(np.sqrt(2 / np.pi * (1 - a ** (2 * frames_ahead))), rel=0.04)


def test_apc_predicts_a_signal_without_chance():
    time = np.arange(400) * 0.2
    wave = np.stack([np.sin(time), np.cos(time)], axis=-1)[None].astype(np.float32)
    assert fit(on_features(APC(name="apc"), 2), wave, [400], epochs=120, rate=0.08) < 0.02


def test_apc_equals_numpy():
    objective, features, lengths = APC(name="apc"), noise(2, 14, 3), np.array([13, 8])
    objective.connect(*described(3, subsampling=4, chunk=2))
    assert objective.shift == 2  # the other frame of a chunk is seen
    frames = noise(2, 4, 5, seed=1)
    out = np.asarray(objective(frames, np.array([4, 2], np.int32), features, lengths.astype(np.int32)))
    kernel, bias = (np.asarray(weight) for weight in objective.prediction.weights)
    for row, length in enumerate(lengths):
        wanted = stacked(normalized(features[row, :length]), 4)
        real = stacked(np.ones((length, 3)), 4) > 0
        errors = [np.abs(frames[row, place] @ kernel + bias - wanted[place + 2])[real[place + 2]]
                  for place in range(-(-length // 4)) if place + 2 < len(wanted)]
        expected = np.concatenate(errors).mean() if errors else 0.0
        assert out[row, 0] == pytest.approx(expected, abs=1e-5)


def test_the_codes_of_best_rq_equal_numpy():
    objective, features, lengths = BestRQ(codebook_size=50, code_size=4, seed=3, name="rq"), noise(2, 10, 3), [10, 7]
    objective.connect(*described(3, subsampling=2))
    codes = np.asarray(objective.codes(features, np.array(lengths, np.int32), 5))
    random = np.random.default_rng(3)
    projection = random.uniform(-np.sqrt(6 / 10), np.sqrt(6 / 10), (6, 4))
    codebook = random.standard_normal((50, 4))
    codebook /= np.linalg.norm(codebook, axis=1, keepdims=True)
    for row, length in enumerate(lengths):
        for place, target in enumerate(stacked(normalized(features[row, :length]), 2)):
            projected = target @ projection
            distances = np.linalg.norm(codebook - projected / np.linalg.norm(projected), axis=1)
            assert codes[row, place] == distances.argmin()
    assert len(np.unique(codes)) > 5
    other = BestRQ(codebook_size=50, code_size=4, seed=4, name="rq")
    other.connect(*described(3, subsampling=2))
    assert (other.projection != objective.projection).any()


def test_best_rq_is_cross_entropy_and_accuracy_at_hidden_frames():
    objective, features = BestRQ(codebook_size=7, code_size=4, name="rq"), noise(1, 12, 3)
    objective.connect(*described(3, subsampling=2))
    hidden = np.zeros((1, 12, 3), np.float32)
    hidden[:, 2:7] = 1  # all of output frames 1 and 2, half of 3
    frames = noise(1, 6, 5, seed=1)
    lengths = np.array([6], np.int32), np.array([12], np.int32)
    loss, accuracy = np.asarray(objective(frames, lengths[0], features, lengths[1], hidden))[0]
    kernel, bias = (np.asarray(weight) for weight in objective.logits.weights)
    codes = np.asarray(objective.codes(features, lengths[1], 6))[0]
    logits = frames[0] @ kernel + bias
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-np.log([probabilities[place, codes[place]] for place in (1, 2)]).mean(), abs=1e-5)
    assert accuracy == np.mean([logits[place].argmax() == codes[place] for place in (1, 2)])


def test_masked_prediction_equals_numpy():
    objective, features = MaskedPrediction(hidden_size=6, name="masked"), noise(1, 9, 3)
    objective.connect(*described(3, subsampling=2))
    hidden = (np.random.default_rng(2).random((1, 9, 3)) < 0.4).astype(np.float32)
    frames = noise(1, 5, 4, seed=1)
    loss = np.asarray(objective(frames, np.array([5], np.int32), features, np.array([9], np.int32), hidden))[0, 0]
    predicted = np.asarray(objective.prediction(objective.expand(frames)))[0]
    errors = np.abs(predicted - stacked(normalized(features[0]), 2))
    assert loss == pytest.approx(errors[stacked(hidden[0], 2) == 1].mean(), abs=1e-5)


@pytest.mark.parametrize("name", ["best_rq", "masked_prediction"])
def test_a_guess_never_depends_on_what_is_hidden(name):
    """The gradient of what the backbone makes of each frame is zero at all hidden features, and only there."""
    objective, backbone = OBJECTIVES[name](name=name), conformer()
    on_features(objective, 8, backbone)
    features = tf.constant(padded(noise(2, 48, 8), LENGTHS), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(features)
        seen, hidden = objective.mask(features, LENGTHS)
        frames, _ = backbone(seen, LENGTHS)
        total = tf.reduce_sum(frames[-1] * noise(2, 12, 8, seed=5))
    gradient = np.asarray(tape.gradient(total, features))
    hidden = np.asarray(hidden)
    assert hidden.any() and (gradient[hidden == 1] == 0).all()
    for row, length in enumerate(LENGTHS):
        assert (gradient[row, :length][hidden[row, :length] == 0] != 0).all()


def test_apc_never_sees_what_it_predicts():
    backbone = conformer(**CAUSAL)
    objective = APC(name="apc")
    on_features(objective, 8, backbone)
    features = tf.constant(noise(1, 48, 8))
    with tf.GradientTape() as tape:
        tape.watch(features)
        frames, _ = backbone(features, np.array([48], np.int32))
        sizes = tf.reduce_sum(frames[-1] * noise(1, 12, 8, seed=5), axis=-1)
    jacobian = np.abs(np.asarray(tape.jacobian(sizes, features))[0, :, 0]).sum(axis=-1)  # (frames, feature frames)
    for place in range(12):
        assert (jacobian[place, 4 * (place + objective.shift):] == 0).all(), place
    assert jacobian[0, :8].any()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_padding_changes_nothing(name):
    backbone = conformer(**CAUSAL) if name == "apc" else conformer()
    model = on_features(OBJECTIVES[name](name=name, **({} if name == "apc" else {"seed": 1})), 8, backbone)
    features = padded(noise(1, 48, 8), LENGTHS[1:])
    hidden = noise(1, 48, 8, seed=9) if name == "apc" else None
    alone = model.predict_on_batch({"features": features[:, :41], "lengths": LENGTHS[1:]})
    if name == "apc":
        grown = model.predict_on_batch({"features": np.concatenate([features[:, :41], hidden], 1), "lengths": LENGTHS[1:]})
        np.testing.assert_allclose(grown, alone, atol=1e-5)
    else:  # masks are drawn for the padded length: the loss by a given mask
        objective = model.layers[-1]
        frames = noise(1, 20, 8, seed=3)
        mask = np.ones((1, 48, 8), np.float32)
        mask[:, 41:] = 0
        arguments = [(frames[:, :size], np.array([11], np.int32), features[:, :length], LENGTHS[1:], mask[:, :length])
                     for size, length in ((11, 41), (20, 48))]
        one, two = (np.asarray(objective(*given)) for given in arguments)
        np.testing.assert_allclose(one, two, atol=1e-5)


def test_a_linear_probe_knows_more_after_pretraining_than_before():
    """A state that changes seldom, in noise: who guesses hidden frames learns to hear it through the noise."""
    random, keep = np.random.default_rng(0), 0.97
    keras.utils.set_random_seed(1)
    changes = random.random((72, 160)) > keep
    states = np.where(np.cumsum(changes, axis=1) % 2, 1.0, -1.0) * random.choice([-1, 1], (72, 1))
    pattern = random.choice([-1.0, 1.0], 12)
    features = (0.25 * states[..., None] * pattern + random.standard_normal((72, 160, 12))).astype(np.float32)
    lengths = np.full(72, 160, np.int32)
    backbone = conformer(size=16, kernel_size=9)
    model = on_features(MaskedPrediction(mask_seconds=0.08, hidden_size=16, name="masked"), 12, backbone)

    def probe():
        frames = np.asarray(backbone(features, lengths)[0][-1])
        wanted = states[:, 2::4]
        known, heard = frames[:24].reshape(-1, 16), frames[24:].reshape(-1, 16)
        mean = known.mean(axis=0)
        weights = np.linalg.lstsq(np.c_[known - mean, np.ones(len(known))], wanted[:24].reshape(-1), rcond=None)[0]
        return np.mean(np.sign(np.c_[heard - mean, np.ones(len(heard))] @ weights) == wanted[24:].reshape(-1))

    before = probe()
    fit(model, features[:24], lengths[:24], epochs=100, rate=0.01)
    after = probe()
    assert after > before + 0.03, (before, after)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_config_makes_the_same_objective(name):
    options = {"apc": {"shift_seconds": 0.05}, "best_rq": {"codebook_size": 9, "code_size": 3, "mask_probability": 0.02,
                                                           "mask_seconds": 0.2, "noise": 0.3, "seed": 4},
               "masked_prediction": {"mask_share": 0.3, "mask_seconds": 0.1, "band_share": 0.5, "hidden_size": 7, "seed": 3}}
    objective = OBJECTIVES[name](**options[name], name=name)
    config = objective.get_config()
    assert config.items() >= options[name].items()
    assert type(objective).from_config(config).get_config() == config
    assert objective.spec() == {"type": name, "label": name} and objective.auxiliary and objective.unlabelled
