"""Every registered weighting trains a real model, in `fit` and in the trainer, and resumes exactly."""

import json

import keras
import numpy as np
import pytest

from speechzoo.config import ConfigError, ZooConfig, from_dict
from speechzoo.multitask.build import build_model
from speechzoo.multitask.weighting import WEIGHTINGS, GradientWeighting
from speechzoo.training import trainer
from speechzoo.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from tests.helpers import tone, write_wav
from tests.on_jax import run_on_jax
from tests.tiny_models import tiny

CONFIG = tiny(frontend={"type": "log_mel", "hop_seconds": 0.03, "window_seconds": 0.03}, heads={
    "keyword": {"classes": ["low", "high"]}, "gender": {"loss_weight": 0.5},
    "event": {"type": "classifier", "classes": ["rain", "wind"], "block": 1}})
ROWS, SAMPLES = 4, 4000


def make_model(weighting, **options):
    keras.utils.set_random_seed(3)
    return build_model(from_dict(ZooConfig, {**CONFIG, "weighting": {"type": weighting, **options}}))


def make_batches():
    """Two batches; the second has no labels for `gender`."""
    audio = np.stack([tone(SAMPLES / 16000, 200.0 + 150 * row, seed=row) for row in range(2 * ROWS)])
    inputs = {"audio": audio, "audio_length": np.full(2 * ROWS, SAMPLES, np.int32)}
    targets = {name: np.arange(2 * ROWS, dtype=np.int32) // step % 2 for name, step in
               (("keyword", 1), ("gender", 2), ("event", 4))}
    weights = {name: np.ones(2 * ROWS, np.float32) for name in targets}
    weights["gender"][ROWS:] = 0
    weights["event"][1] = 0
    return [tuple({name: value[start:start + ROWS] for name, value in part.items()}
                  for part in (inputs, targets, weights)) for start in (0, ROWS)]


def values_of(model):
    return {variable.path: np.array(variable) for variable in model.weights}


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_fit_and_resume(name, tmp_path):
    """Eager, which is quicker for a few steps; the trainer's test runs the same in a graph."""
    model = make_model(name)
    model.compile(keras.optimizers.AdamW(3e-3), run_eagerly=True)
    first, second = make_batches()
    before = values_of(model)

    def batches():
        yield from (first, second)

    def go_on():
        model.train_on_batch(*second)
        return values_of(model)

    history = model.fit(batches(), steps_per_epoch=2, verbose=0).history
    assert np.isfinite([history[key][0] for key in ("loss", "keyword_loss", "gender_loss", "event_loss")]).all()
    after = values_of(model)
    trained = {variable.path for part in (model.frontend, model.backbone, *model.heads.values())
               for variable in part.trainable_weights}
    assert trained and all(np.isfinite(after[path]).all() and (after[path] != before[path]).any() for path in trained)
    save_checkpoint(tmp_path, model, RunState())
    straight = go_on()
    load_checkpoint(tmp_path, model)
    for path, value in go_on().items():
        np.testing.assert_array_equal(value, straight[path], err_msg=path)


@pytest.mark.parametrize("name", ["famo", "pcgrad"])  # one of losses and one of gradients: a graph takes long to make
def test_the_trainer(name, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "plot_curves", lambda *_: None)
    lines = []
    for number in range(6):
        write_wav(tmp_path / f"{number}.wav", tone(0.25, 200.0 + 150 * number, seed=number))
        labels = {"keyword": ("low", "high")[number % 2], **({"event": "rain"} if number < 2 else {})}
        lines.append(json.dumps({"audio": f"{number}.wav", "duration": 0.25, **labels}) + "\n")
    (tmp_path / "manifest.jsonl").write_text("".join(lines))
    config = from_dict(ZooConfig, {
        **CONFIG, "weighting": {"type": name}, "training": {"epochs": 1, "warmup_steps": 1},
        "data": {"root": str(tmp_path), "train": [{"manifest": "manifest.jsonl"}], "seconds_per_batch": 0.6,
                 "bucket_seconds": [0.3]}})
    records = []
    result = trainer.train(config, tmp_path / "run", heads=["keyword", "event"], on_record=records.append)
    assert (result.ended, result.step) == ("finished", 3)
    assert np.isfinite([record["loss"] for record in records if record["event"] == "train"]).all()


def gradients_of_step(model, batch):
    """What one step of plain gradient descent does to each variable, per unit of learning rate."""
    model.compile(keras.optimizers.SGD(1e-2), run_eagerly=True)
    before = values_of(model)
    model.train_on_batch(*batch)
    after = values_of(model)
    return {path: (before[path] - after[path]) / 1e-2 for path in before}


def test_only_shared_parameters_are_combined():
    """Heads get their own gradient, as under the plain sum; so does a block that one head alone listens to."""
    batch = make_batches()[0]
    plain = gradients_of_step(make_model("static"), batch)
    # The longest step that MGDA can take is the sum's; where heads disagree it is shorter.
    combined = gradients_of_step(make_model("mgda"), batch)
    own = [path for path in plain if path.split("/")[0] in CONFIG["heads"]]
    assert len(own) > 10
    for path in own:
        np.testing.assert_allclose(combined[path], plain[path], atol=1e-4, err_msg=path)
    assert any(np.abs(combined[path] - plain[path]).max() > 1e-3 for path in plain if path.startswith("backbone"))
    # With two heads, of which one listens to block 1, what lies above it is the other's alone.
    for inputs in (batch[1], batch[2]):
        del inputs["gender"]
    plain, combined = (gradients_of_step(make_model(name), batch) for name in ("static", "mgda"))
    above = [path for path in plain if "block_2" in path and "moving" not in path]
    below = [path for path in plain if "block_1" in path and "moving" not in path]
    assert above and below
    for path in above:
        np.testing.assert_allclose(combined[path], plain[path], atol=1e-4, err_msg=path)
    assert any(np.abs(combined[path] - plain[path]).max() > 1e-3 for path in below)


def test_options_are_checked():
    with pytest.raises(ConfigError, match="unknown weighting 'pcgrd'; did you mean 'pcgrad'"):
        make_model("pcgrd")
    with pytest.raises(ConfigError, match="weighting 'cagrad' has no option 'radios'; did you mean 'radius'"):
        make_model("cagrad", radios=0.1)
    with pytest.raises(ConfigError, match="cagrad needs a radius from 0 to below 1, got 2"):
        make_model("cagrad", radius=2.0)


ON_JAX = """
import keras, numpy as np
from speechzoo.multitask.weighting import WEIGHTINGS, GradientWeighting
from tests.multitask.test_weighting_training import make_batches, make_model
first, second = make_batches()
model = make_model("famo")
model.compile(keras.optimizers.AdamW(3e-3), run_eagerly=True)
losses = [model.train_on_batch(*batch, return_dict=True)["loss"] for batch in (first, second)]
print(np.isfinite(losses).all(), any(float(np.array(variable)) for variable in model.weighting.weights))
model = make_model("uncertainty")
model.compile(keras.optimizers.SGD(0.3))
for _ in range(3):
    model.reset_metrics()
    learnt = {name: float(np.array(value)) for name, value in model.weighting.log_variance.items()}
    shown = model.train_on_batch(*first, return_dict=True)
    total = sum(model.weighting.weights_of_heads[name] * np.exp(-value) * shown[f"{name}_loss"] + value / 2
                for name, value in learnt.items())
    print(abs(shown["loss"] - total) < 1e-4, any(learnt.values()))
model = make_model("pcgrad")
model.compile(run_eagerly=True)
model.evaluate(first[0], first[1], verbose=0)
try:
    model.train_on_batch(*first)
except ValueError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.jax
def test_losses_are_weighed_on_jax_and_gradients_say_what_they_need():
    *trained, message = run_on_jax(ON_JAX).splitlines()
    assert trained == ["True True", "True False", "True True", "True True"]
    assert message.startswith("PCGradWeighting takes the heads' gradients one by one, which needs the TensorFlow "
                              "backend, not 'jax'; set KERAS_BACKEND=tensorflow, or take a weighting of losses: static,")
    assert all(name in message for name, method in WEIGHTINGS.items() if not issubclass(method, GradientWeighting))
