"""Statistics of normalisations taken anew: what each normalisation gives is then normal in the new domain."""

import json

import keras
import numpy as np
import pytest

from speechzoo.adaptation import recompute_statistics
from speechzoo.adaptation.batch_statistics import _Moments
from speechzoo.layers.normalization import FrameBatchNormalization, SubSpectralNorm
from speechzoo.multitask.resting import layers_of
from speechzoo.weights import model_values
from tests.helpers import tone, write_wav
from tests.tiny_models import build, tiny

SECONDS = (0.5, 0.9, 0.7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three recordings of another domain, one that can't be read, and a manifest of two of them."""
    folder = tmp_path_factory.mktemp("kitchen")
    for number, seconds in enumerate(SECONDS):
        write_wav(folder / f"{number}.wav", 0.2 * tone(seconds, 300 + 200 * number, seed=number))
    (folder / "x.wav").write_bytes(b"nothing")
    lines = [{"audio": f"{number}.wav", "split": ("train", "dev")[number % 2], "keyword": "yes"} for number in range(3)]
    (folder / "some.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def norms_of(model):
    return [layer for layer in layers_of(model) if hasattr(layer, "observer")]


def moments_in(model, norm, folder, numbers):
    """Mean and variance of what a normalisation gets, by hand: every recording alone, without padding."""
    seen = []
    norm.observer = lambda inputs, valid: seen.append(np.array(inputs))
    for number in numbers:
        import speechzoo.audio

        audio = speechzoo.audio.load_audio(folder / f"{number}.wav", 16000)
        features, lengths = model.frontend(keras.ops.convert_to_tensor(audio[None]), None, training=False)
        model.sharing(features, lengths, model.blocks, training=False)
    norm.observer = None
    values = np.concatenate([value.reshape(-1, value.shape[-1]) for value in seen]).astype(np.float64)
    return values.mean(0), values.var(0)


def test_each_normalisation_gets_those_of_the_recordings(folder):
    model = build(tiny())
    before = model_values(model)
    report = recompute_statistics(model, folder, batch_seconds=1.5)
    assert report.seconds == pytest.approx(sum(SECONDS), abs=1e-3) and report.prior_share == 0
    assert len(report.skipped) == 1 and "x.wav" in report.skipped[0]
    norms = norms_of(model)
    assert report.layers[:2] == ["frontend", "backbone/norm_1"] and len(report.layers) == len(norms) + 1
    for norm in norms:
        mean, variance = moments_in(model, norm, folder, range(3))
        np.testing.assert_allclose(np.array(norm.moving_mean), mean, atol=2e-4, err_msg=norm.name)
        np.testing.assert_allclose(np.array(norm.moving_variance), variance, rtol=2e-3, atol=1e-5, err_msg=norm.name)
    after = model_values(model)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert changed == {path for path in before if "moving_" in path or path in ("frontend/mean", "frontend/variance")}


def test_batches_change_nothing_and_a_prior_holds_on(folder):
    old = {norm.name: np.array(norm.moving_mean) for norm in norms_of(build(tiny()))}
    one, other, held = build(tiny()), build(tiny()), build(tiny())
    recompute_statistics(one, folder / "some.jsonl", batch_seconds=9)
    recompute_statistics(other, folder / "some.jsonl", batch_seconds=0.1)
    report = recompute_statistics(held, folder / "some.jsonl", prior_seconds=3 * sum(SECONDS))
    assert report.prior_share == pytest.approx(0.75, abs=1e-3)
    for left, right in zip(model_values(one).items(), model_values(other).items()):
        np.testing.assert_allclose(left[1], right[1], atol=2e-4, err_msg=left[0])
    # The first normalisation of the network also gets what the front end's mixed statistics give, so that it is alike in
    # parts only; what the front end stores is the mean of the two itself.
    np.testing.assert_allclose(np.array(held.frontend.mean), 0.75 * np.array(build(tiny()).frontend.mean)
                               + 0.25 * np.array(one.frontend.mean), rtol=1e-4, atol=1e-5)
    for norm in norms_of(held)[:1]:
        mean, _ = moments_in(held, norm, folder, range(3))
        np.testing.assert_allclose(np.array(norm.moving_mean), 0.75 * old[norm.name] + 0.25 * mean, atol=1e-4)


@pytest.mark.parametrize("make, shape", [(FrameBatchNormalization, (2, 6, 4)), (lambda: SubSpectralNorm(2), (2, 6, 4, 3))])
def test_moments_are_joined_over_batches(make, shape):
    """Against NumPy on all valid frames at once, with batches of unequal lengths."""
    norm, random = make(), np.random.default_rng(0)
    norm.build(shape)
    moments, kept = _Moments(norm), []
    for lengths in ([6, 2], [1, 5]):
        inputs = (3.0 + random.standard_normal(shape)).astype(np.float32)
        valid = (np.arange(6)[None] < np.array(lengths)[:, None]).astype(np.float32)
        moments(inputs, valid.reshape(2, 6, *[1] * (len(shape) - 2)))
        kept += [inputs[row, :length] for row, length in enumerate(lengths)]
    values = np.concatenate(kept).astype(np.float64)
    if len(shape) == 4:  # bands of two bins
        values = values.reshape(-1, 2, 2, 3).transpose(0, 2, 1, 3).reshape(-1, 2, 3)
    mean, variance = moments.result()
    np.testing.assert_allclose(mean, values.reshape(-1, *values.shape[-len(np.shape(mean)):]).mean(0), atol=1e-5)
    np.testing.assert_allclose(variance, values.reshape(-1, *values.shape[-len(np.shape(mean)):]).var(0), rtol=1e-4)


def test_what_is_refused(folder, tmp_path):
    plain = build(tiny(frontend={"type": "log_mel", "normalization": "utterance"}, backbone="whisper"))
    with pytest.raises(ValueError, match="keeps no statistics.*minimize_entropy"):
        recompute_statistics(plain, folder)
    model = build(tiny())
    with pytest.raises(ValueError, match="prior_seconds -1 must be 0 or more"):
        recompute_statistics(model, folder, prior_seconds=-1)
    with pytest.raises(ValueError, match="no recordings in it"):
        recompute_statistics(model, tmp_path)
    with pytest.raises(ValueError, match="no recording that can be used; .*x.wav"):
        recompute_statistics(model, [str(folder / "x.wav")])
    with pytest.raises(ValueError, match="no utterance of split test"):
        recompute_statistics(model, folder / "some.jsonl", split="test")
