"""Sharings: what holds for every one of them, on features and in whole models."""

import functools

import keras
import numpy as np
import pytest
import yaml

from speechzoo import cli
from speechzoo.backbones import BACKBONES
from speechzoo.config import ConfigError, PartConfig, ZooConfig, from_dict, load_config
from speechzoo.exporters.selection import keep_heads
from speechzoo.multitask.build import build_model
from speechzoo.multitask.macs import count_macs
from speechzoo.multitask.sharing import SHARINGS
from speechzoo.weights import assign_values, model_values
from tests import tiny_parts
from tests.helpers import spread_weights, weighted_sum
from tests.on_jax import run_on_jax
from tests.tiny_models import tiny

BLOCKS = {"keyword": 2, "phones": 2, "gender": 1}
FRAMES = np.array([24, 17, 5])


def features_model(method, backbone, blocks=None, **options):
    """Features and lengths -> {head: frames}, and the sharing that makes it."""
    keras.utils.set_random_seed(1)
    blocks = blocks or BLOCKS
    pattern = BACKBONES[backbone](name="backbone", **tiny_parts.BACKBONES[backbone])
    sharing = SHARINGS[method](pattern, list(BLOCKS), **options)
    features, lengths = keras.Input((None, 16)), keras.Input((), dtype="int32")
    frames, frame_lengths = sharing(features, lengths, blocks)
    model = keras.Model([features, lengths], {**frames, "_lengths": frame_lengths})
    spread_weights(model)
    return model, sharing


def make_features(growth=0, seed=0):
    """Three rows of 24, 17 and 5 frames; what lies behind them is noise of the seed."""
    features = np.random.default_rng(seed).standard_normal((3, FRAMES.max() + growth, 16))
    real = np.random.default_rng(9).standard_normal((3, FRAMES.max(), 16))
    for row, length in enumerate(FRAMES):
        features[row, :length] = real[row, :length]
    return features.astype(np.float32)


def check_on_features(method, backbone, blocks, unmoved=()):
    """Padding changes nothing, with and without masks; every weight has an effect."""
    import tensorflow as tf  # not above: JAX's process has none

    # A network of its own runs to the end, though its head reads an earlier block, and a fusion makes values for all.
    blocks = dict.fromkeys(BLOCKS, 2) if method in ("soft", "nddr") else blocks
    model, sharing = features_model(method, backbone, blocks, **tiny_parts.SHARINGS[method])
    inputs = [tf.constant(make_features()), tf.constant(FRAMES, tf.int32)]
    weights = model.trainable_weights
    with tf.GradientTape() as tape:
        outputs = model(inputs)
        loss = weighted_sum([outputs[head] for head in blocks])
    subsampling = sharing.backbone.subsampling
    assert set(outputs) == {*blocks, "_lengths"}
    np.testing.assert_array_equal(outputs["_lengths"], -(-FRAMES // subsampling))
    for weight, gradient in zip(weights, tape.gradient(loss, [weight.value for weight in weights])):
        assert gradient is not None, f"no gradient reaches {weight.path}"
        assert np.all(np.isfinite(gradient))
        assert weight.path.endswith(unmoved or ("\0",)) or np.abs(gradient).max() > 1e-7, weight.path

    grown = model([make_features(growth=7, seed=4), FRAMES])
    alone, no_lengths = sharing(make_features()[1:2, :FRAMES[1]], None, blocks, training=False)
    assert no_lengths is None
    for head in blocks:
        for row, length in enumerate(-(-FRAMES // subsampling)):
            assert not np.any(outputs[head][row, length:]), "the padding is not zero"
            np.testing.assert_allclose(grown[head][row, :length], outputs[head][row, :length], atol=2e-5)
        np.testing.assert_allclose(alone[head][0], outputs[head][1, :-(-FRAMES[1] // subsampling)], atol=2e-5)
    paths = [weight.path for weight in model.weights]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("method", SHARINGS)
def test_every_sharing_with_ds_cnn(method):
    check_on_features(method, "ds_cnn", BLOCKS)


# Those that act between blocks, each in its own way; to the others a backbone is one piece.
@pytest.mark.parametrize("method", ["adapters", "cross_stitch", "ple"])
def test_sharings_between_the_blocks_of_a_conformer(method):
    # The paper's attention doesn't see what is added to the scores of all keys.
    check_on_features(method, "conformer", {"keyword": 2, "gender": 1}, ("attention/key/bias",))


@pytest.mark.parametrize("backbone", sorted({*BACKBONES} - {"ds_cnn", "conformer"}))
def test_every_other_backbone_runs_in_steps(backbone):
    """Behind a branch stands what stands behind the whole backbone with the same weights."""
    model, sharing = features_model("branching", backbone, {"keyword": sharing_depth(backbone), "gender": 1}, block=1)
    whole = BACKBONES[backbone](name="backbone", **tiny_parts.BACKBONES[backbone])
    whole.build((None, None, 16))
    values = {path.replace("backbone_keyword/", "backbone/"): value for path, value in model_values(model).items()}
    assert not assign_values(whole, values, "the branches").missing
    outputs = model([make_features(), FRAMES])
    frames, _ = whole(make_features(), FRAMES)
    np.testing.assert_allclose(outputs["keyword"], frames[-1], atol=1e-5)
    np.testing.assert_allclose(outputs["gender"], frames[0], atol=1e-5)


def sharing_depth(backbone):
    """The last block."""
    return BACKBONES[backbone](**tiny_parts.BACKBONES[backbone]).num_blocks


# -- whole models ------------------------------------------------------------------------------------------------------

CONFIG = tiny("small", {"type": "log_mel", "hop_seconds": 0.02}, {"type": "ds_cnn", "dropout": 0.0}, {
    "keyword": {"dropout": 0.0}, "phones": {"units": ["a", "b"]}, "gender": {"block": 1, "dropout": 0.0}})
AUDIO = (0.2 * np.random.default_rng(0).standard_normal((4, 4000))).astype(np.float32)
INPUTS = {"audio": AUDIO, "audio_length": np.array([4000, 4000, 3000, 2000], np.int32)}
TARGETS = {"keyword": np.array([0, 1, 0, 1], np.int32), "gender": np.array([1, 0, 0, 1], np.int32)}


def config_of(method):
    return from_dict(ZooConfig, {**CONFIG, "sharing": {"type": method, **tiny_parts.SHARINGS[method]}})


@functools.cache
def whole_model(method):
    keras.utils.set_random_seed(1)
    model = build_model(config_of(method))
    spread_weights(model)
    return model


@pytest.mark.parametrize("method", SHARINGS)
def test_a_model_with_one_head_takes_its_weights_from_the_whole(method):
    model = whole_model(method)
    expected = model(INPUTS)
    one = build_model(config_of(method), heads=["gender"])
    assert not assign_values(one, model_values(model), "the whole model", strict=False).missing
    np.testing.assert_allclose(one(INPUTS)["gender"], expected["gender"], atol=1e-5)
    kept = keep_heads(model, ["gender"])
    np.testing.assert_allclose(kept(INPUTS)["gender"], expected["gender"], atol=1e-6)
    # Nothing that only the other heads need.
    reached = {weight.path for weight in one.weights if not weight.path.startswith("weighting/")}
    others = {"soft": ("backbone_keyword", "backbone_phones"), "mtan": ("attention_keyword", "attention_phones"),
              "adapters": ("adapter_keyword", "adapter_phones"), "mmoe": ("gate_keyword", "gate_phones"),
              "branching": ("backbone_keyword", "backbone_phones", "backbone_gender")}
    assert not [path for path in reached if path.startswith(others.get(method, ("keyword/",)))]
    for head in ("gender", "keyword"):
        np.testing.assert_allclose(model.forward_unpadded(AUDIO[:1])[head], expected[head][:1], atol=1e-5)


# All kinds of layers and losses that sharings add.
@pytest.mark.parametrize("method", ["cross_stitch", "mtan", "ple", "soft"])
def test_training_lowers_the_loss(method):
    model = build_model(config_of(method), heads=["keyword", "gender"])
    model.compile(keras.optimizers.Adam(0.02), run_eagerly=True)
    losses = [float(model.train_on_batch(INPUTS, TARGETS, return_dict=True)["loss"]) for _ in range(4)]
    assert np.all(np.isfinite(losses)) and losses[-1] < losses[0]


# All kinds of layers, and the one that adds a loss.
ON_BOTH = ["adapters", "mtan", "nddr", "ple", "soft"]
ON_JAX = """
import sys
import numpy as np
from speechzoo.weights import assign_values
from tests.multitask.test_sharing import INPUTS, ON_BOTH, build_model, config_of
for method in ON_BOTH:
    stored = np.load(f"{sys.argv[1]}/{method}.npz")
    values = {name: stored[name] for name in stored.files}
    expected = {head: values.pop(f"output {head}") for head in ("keyword", "phones", "gender")}
    model = build_model(config_of(method))
    assert not assign_values(model, values, method).missing
    outputs = model(INPUTS)
    for head in expected:
        np.testing.assert_allclose(np.asarray(outputs[head]), expected[head], atol=1e-4, err_msg=f"{method} {head}")
    model(INPUTS, training=True)
    assert len(model.losses) == (method == "soft") and np.isfinite(float(sum(model.losses)))
"""


@pytest.mark.slow
@pytest.mark.jax
def test_sharings_give_the_same_on_jax(tmp_path):
    for method in ON_BOTH:
        model = whole_model(method)
        outputs = {f"output {head}": np.asarray(output) for head, output in model(INPUTS).items()}
        np.savez(tmp_path / f"{method}.npz", **model_values(model), **outputs)
    run_on_jax(ON_JAX, tmp_path)


def test_what_each_costs():
    macs = {method: count_macs(whole_model(method), 0.2) for method in ("hard", "soft", "branching", "adapters")}
    one = count_macs(keep_heads(whole_model("soft"), ["keyword"]), 0.2)
    assert macs["hard"] < macs["branching"] < macs["adapters"] and macs["branching"] < macs["soft"]
    assert one < macs["hard"]
    parameters = {method: whole_model(method).count_params() for method in SHARINGS}
    assert parameters["hard"] < parameters["adapters"] and parameters["branching"] < parameters["soft"]
    assert all(cls.cost for cls in SHARINGS.values())


# -- configs -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", SHARINGS)
def test_config_round_trip(method):
    config = config_of(method)
    twin = from_dict(ZooConfig, config.to_dict())
    assert twin == config and twin.sharing.options == tiny_parts.SHARINGS[method]


def test_one_line_of_yaml_chooses_and_show_says_what_it_costs(tmp_path, capsys):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, "sharing": "mmoe"}))
    assert load_config(path).sharing == PartConfig("mmoe")
    assert load_config(path, ["sharing={type: mmoe, experts: 2}"]).sharing.options == {"experts": 2}
    assert load_config(path, ["sharing=ple"]).sharing.type == "ple"
    with pytest.raises(ConfigError, match="sharing: expected a mapping, got int 3"):
        load_config(path, ["sharing=3"])
    with pytest.raises(SystemExit):
        cli.main(["show", str(path)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "mmoe (as many backbones as experts)" in shown
    for method in ("mmoe", "hard"):
        model = build_model(from_dict(ZooConfig, {**CONFIG, "sharing": method}))
        assert f"{model.count_params():,}" in shown and f"{count_macs(model) / 1e6:.1f}" in shown


def test_hard_is_the_default():
    config = from_dict(ZooConfig, CONFIG)
    assert config.sharing.type == "hard" and config.sharing.options == {}


@pytest.mark.parametrize("sharing, message", [
    ({"type": "mmo"}, "unknown sharing 'mmo'; did you mean 'mmoe'"),
    ({"type": "mmoe", "expert": 3}, "sharing 'mmoe' has no option 'expert'; did you mean 'experts'"),
    ({"type": "mmoe", "experts": "many"}, "sharing 'mmoe': experts: expected int, got 'many'"),
    ({"type": "mmoe", "experts": 0}, "experts 0 is not 1 or more"),
    ({"type": "hard", "experts": 2}, "sharing 'hard' has no option 'experts'"),
    ({"type": "soft", "distance": "l1"}, "distance 'l1' is not l2 or trace_norm"),
    ({"type": "soft", "strengths": {"block_1": -1}}, "strength -1 is not 0 or more"),
    ({"type": "soft", "strengths": {"blok_1": 1}}, "strengths names 'blok_1'; the backbone has: conv_1"),
    ({"type": "cross_stitch", "own": 1.5}, "own 1.5 is not between 0 and 1"),
    ({"type": "ple", "levels": 3}, "levels 3 is not between 1 and the backbone's 2 blocks"),
    ({"type": "ple", "shared_experts": 0}, "shared_experts 0 and task_experts 1 must be 1 or more"),
    ({"type": "mtan", "reduction": 0}, "reduction 0 is not 1 or more"),
    ({"type": "adapters", "size": 0}, "size 0 is not 1 or more"),
    ({"type": "adapters", "first_block": 3}, "first_block 3 is not one of the backbone's blocks 1 to 2"),
    ({"type": "branching", "block": 2}, "block 2 is not between 0 and 1, the last but one"),
    ({"type": "branching", "groups": [["keyword"]]}, "groups must be lists that name every head once"),
    ({"type": "branching", "groups": 3}, "groups must be lists that name every head once"),
])
def test_what_a_config_may_not_say(sharing, message):
    with pytest.raises(ConfigError, match=message):
        build_model(from_dict(ZooConfig, {**CONFIG, "sharing": sharing}))


def test_a_backbone_without_steps_is_named():
    class Whole(keras.layers.Layer):
        """No `Backbone`."""

        num_blocks, subsampling = 1, 1

    with pytest.raises(ValueError, match="Whole is no speechzoo.backbones.Backbone"):
        SHARINGS["cross_stitch"](Whole(name="backbone"), ["a", "b"])
