"""`.keras` files: whole models and parts of ours in models of users, opened by `keras.models.load_model`."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import speechzoo
from speechzoo.backbones import Backbone, Conformer
from speechzoo.frontends import LogMel
from speechzoo.frontends.frontend import Frontend
from speechzoo.frontends.mel_frontend import MelFrontend
from speechzoo.heads import ClassifierHead, Head
from speechzoo.heads.frame_head import FrameHead
from speechzoo.heads.pooled_head import PooledHead
from speechzoo.heads.seq2seq_loss import Seq2SeqLoss, TokenAccuracy
from speechzoo.heads.speaker import AngularMarginLoss, PrototypeAccuracy
from speechzoo.layers.quantizable import FrameDense, InputRange, quantization_aware
from speechzoo.multitask.decode_step import StepLayer
from speechzoo.multitask.frames import HeadsModel
from speechzoo.multitask.keras_classes import CLASSES, StandIn
from speechzoo.multitask.resting import layers_of
from speechzoo.multitask.sharing import SHARINGS, Sharing
from speechzoo.multitask.sharing.cross_stitch import StitchedSharing
from speechzoo.multitask.task_metrics import HeadMetric, TotalLoss
from speechzoo.multitask.weighting import WEIGHTINGS, GradientWeighting, Weighting
from speechzoo.pretraining import Objective
from speechzoo.training.freezing import freeze
from speechzoo.training.penalties.penalty import Penalty
from speechzoo.training.rates import RatedAdamW
from speechzoo.training.schedule import Warmup, WarmupCosine
from tests.helpers import ORIGIN, WITHOUT_EXTRAS, keras_settings, tone
from tests.tiny_models import build, tiny

REPOSITORY = Path(speechzoo.__file__).parents[1]
CONFIG = tiny("saved", backbone={"type": "ds_cnn", "dropout": 0.0}, heads={
    "keyword": {"classes": ["yes", "no"], "dropout": 0.0, "block": 1}, "phones": {"dropout": 0.0, "loss_weight": 0.5}})
AUDIO = np.stack([tone(0.5, 300, seed=1), tone(0.5, 900, seed=2)])
TARGETS = {"keyword": np.array([0, 1], np.int32), "phones": np.array([[3, 4], [5, 0]], np.int32)}
# Bases, and what a compiled model makes by itself.
NOT_IN_FILES = {Backbone, FrameHead, Frontend, Head, MelFrontend, Objective, PooledHead, Sharing, StitchedSharing, Weighting, GradientWeighting,
                Penalty, Warmup, AngularMarginLoss, HeadMetric, HeadsModel, PrototypeAccuracy, Seq2SeqLoss, StepLayer, TokenAccuracy,
                TotalLoss}


def make_model(**config):
    return build({**CONFIG, **config})


def saved_and_loaded(model, folder):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


def assert_same(model, loaded):
    """The same weights under the same names, and the same answers."""
    assert type(loaded) is type(model)
    assert [weight.path for weight in loaded.weights] == [weight.path for weight in model.weights]
    for one, two in zip(model.weights, loaded.weights):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two), err_msg=one.path)
    for name, output in model(AUDIO).items():
        np.testing.assert_array_equal(np.asarray(output), np.asarray(loaded(AUDIO)[name]))


@pytest.mark.parametrize("sharing", SHARINGS)
def test_every_sharing(sharing, tmp_path):
    model = make_model(sharing={"type": sharing})
    loaded = saved_and_loaded(model, tmp_path)
    assert_same(model, loaded)
    assert loaded.spec == model.spec and loaded.zoo_config == model.zoo_config


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_every_weighting_with_its_state(weighting, tmp_path):
    model = make_model(weighting={"type": weighting})
    model.compile("sgd", run_eagerly=True)  # for one step quicker than a graph
    model.train_on_batch({"audio": AUDIO}, TARGETS)
    assert_same(model, saved_and_loaded(model, tmp_path))


def test_a_loaded_model_goes_on_training_as_it_was_compiled(tmp_path):
    model = make_model()
    schedule = WarmupCosine(0.01, 2, 10)
    model.compile(RatedAdamW(schedule, rates={"backbone/*": 0.5}),
                  loss={"keyword": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
                  loss_weights={"phones": 0.25}, metrics={"keyword": [keras.metrics.SparseTopKCategoricalAccuracy(1)]})
    callback = keras.callbacks.ModelCheckpoint(tmp_path / "checkpoint.keras")
    model.fit(AUDIO, TARGETS, epochs=2, verbose=0, callbacks=[callback])
    loaded = keras.models.load_model(tmp_path / "checkpoint.keras")
    assert int(loaded.optimizer.iterations) == 2 and loaded.weighting.weights_of_heads["phones"] == 0.25
    expected = model.evaluate(AUDIO, TARGETS, verbose=0, return_dict=True)
    assert "keyword_sparse_top_k_categorical_accuracy" in expected
    assert loaded.evaluate(AUDIO, TARGETS, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-5)
    for one in (model, loaded):
        one.fit(AUDIO, TARGETS, verbose=0)
    for one, two in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(two), atol=1e-6, err_msg=one.path)
    weights_only = make_model()
    model.save_weights(tmp_path / "weights.weights.h5")
    weights_only.load_weights(tmp_path / "weights.weights.h5")
    np.testing.assert_array_equal(model(AUDIO)["keyword"], weights_only(AUDIO)["keyword"])


@pytest.mark.usefixtures("without_graphs")
def test_what_rests_goes_on_resting(tmp_path):
    model = make_model(backbone={**CONFIG["backbone"], "dropout": 0.5})
    frozen = freeze(model, ["backbone/*", "keyword/logits/bias"])
    loaded = saved_and_loaded(model, tmp_path)
    assert_same(model, loaded)
    assert [weight.path for weight in loaded.trainable_weights] == [weight.path for weight in model.trainable_weights]
    before = {weight.path: np.array(weight) for weight in loaded.weights}
    loaded.compile(keras.optimizers.SGD(0.1))
    loaded.fit(AUDIO, TARGETS, verbose=0)
    moved = {path for path, value in before.items()
             if not np.array_equal(value, next(weight for weight in loaded.weights if weight.path == path))}
    assert moved == {weight.path for weight in model.trainable_weights} and not moved & frozen
    assert loaded.backbone.dropout.rate == 0

    model = make_model()
    model.backbone.trainable = False
    assert not saved_and_loaded(model, tmp_path).backbone.trainable_weights


def test_settings_and_origin_travel_along(tmp_path):
    with quantization_aware():
        model = make_model()
    model.origin = ORIGIN
    model.compile("sgd", run_eagerly=True)
    model.train_on_batch({"audio": AUDIO}, TARGETS)
    loaded = saved_and_loaded(model, tmp_path)
    assert any(isinstance(layer, InputRange) for layer in layers_of(loaded)) and loaded.origin == ORIGIN
    assert_same(model, loaded)
    with keras_settings("mixed_bfloat16"):
        model = make_model()
    assert saved_and_loaded(model, tmp_path).backbone.first.compute_dtype == "bfloat16"


def test_parts_in_a_model_of_a_user(tmp_path):
    audio, length = keras.Input((None,), name="audio"), keras.Input((), dtype="int32", name="length")
    features, lengths = LogMel(num_mel_bins=16)(audio, length)
    frames, lengths = Conformer(size=8, num_blocks=2, num_heads=2, feed_forward_size=8, subsampling_channels=3,
                                normalization="layer")(features, lengths)
    head = ClassifierHead(["yes", "no"], name="keyword")
    model = keras.Model([audio, length], {"keyword": head(frames[-1], lengths), "own": FrameDense(3)(frames[0])})
    model.compile("adam", loss={"keyword": head.loss(), "own": "mse"},
                  metrics={"keyword": head.metrics_for_fit()}, jit_compile=False)
    inputs = [AUDIO, np.array([8000, 6000], np.int32)]
    targets = {"keyword": TARGETS["keyword"], "own": np.zeros((2, 13, 3), np.float32)}
    model.fit(inputs, targets, verbose=0)
    loaded = saved_and_loaded(model, tmp_path)
    for name, output in model(inputs).items():
        np.testing.assert_array_equal(np.asarray(output), np.asarray(loaded(inputs)[name]))
    assert loaded.evaluate(inputs, targets, verbose=0) == pytest.approx(model.evaluate(inputs, targets, verbose=0))


@pytest.mark.parametrize("imports", ["import speechzoo, keras", "import keras, speechzoo",
                                     "import speechzoo.layers.attention, keras",
                                     "import importlib.util, speechzoo; importlib.util.find_spec('keras'); import keras",
                                     "import tensorflow, speechzoo, keras"])
def test_importing_speechzoo_is_enough(imports, tmp_path):
    make_model().save(tmp_path / "model.keras")
    code = (f"{WITHOUT_EXTRAS}{imports}; model = keras.models.load_model('model.keras'); print(type(model).__name__, *model.heads); "
            "print(len(keras.saving.get_custom_objects()))")
    answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, text=True, capture_output=True, timeout=300,
                            env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    assert answer.stdout.splitlines()[:1] == ["MultiTaskModel keyword phones"], answer.stderr


def test_every_class_that_can_be_in_a_file_is_registered():
    classes = {}
    for path in sorted((REPOSITORY / "speechzoo").rglob("*.py")):
        room = path.relative_to(REPOSITORY / "speechzoo").parts[0]
        rooms = ("layers", "frontends", "backbones", "heads", "pretraining", "multitask", "training")
        if room in rooms and "penalties" not in path.parts:
            module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
            for value in vars(importlib.import_module(module)).values():
                if isinstance(value, type) and value.__module__ == module and issubclass(value, (
                        keras.layers.Layer, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer,
                        keras.optimizers.schedules.LearningRateSchedule, Sharing)):
                    classes.setdefault(module.removeprefix("speechzoo."), []).append(value)
    wanted = {module: sorted(value.__name__ for value in values if value not in NOT_IN_FILES)
              for module, values in classes.items()}
    assert {module: names for module, names in wanted.items() if names} == CLASSES
    for module, names in CLASSES.items():
        for name in names:
            (cls,) = [value for value in classes[module] if value.__name__ == name]
            assert keras.saving.get_registered_object(f"speechzoo>{name}") is cls
    assert sum(map(len, CLASSES.values())) == len({name for names in CLASSES.values() for name in names})


def test_a_stand_in_makes_what_it_stands_for():
    config = FrameDense(3, name="dense").get_config()
    assert isinstance(StandIn("layers.quantizable", "FrameDense").from_config(config), FrameDense)
