"""Sharings against their equations, written out in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from speechzoo.multitask.sharing.adapters import Adapter
from speechzoo.multitask.sharing.cross_stitch import CrossStitch
from speechzoo.multitask.sharing.gate import ExpertGate
from speechzoo.multitask.sharing.mtan import BlockAttention
from speechzoo.multitask.sharing.nddr import NDDR
from speechzoo.multitask.sharing.soft import ParameterDistance, l2_distance, trace_norm
from speechzoo.weights import assign_values, model_values
from tests.helpers import spread_weights
from tests.multitask.test_sharing import BLOCKS, FRAMES, features_model, make_features


def tensors(count, *shape, seed=0):
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape).astype(np.float32) for _ in range(count)]


def named(layer):
    return {weight.path.split("/", 1)[-1]: np.asarray(weight, np.float64) for weight in layer.weights}


def run(sharing, blocks, features=None):
    """Head -> frames, without padding."""
    features = make_features() if features is None else features
    return {head: np.asarray(frames) for head, frames in sharing(features, None, blocks, training=False)[0].items()}


# -- soft --------------------------------------------------------------------------------------------------------------

def test_l2_distance_is_the_sum_over_pairs():
    columns = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = sum(np.sum((columns[:, one] - columns[:, two]) ** 2) for one, two in pairs)
    assert float(l2_distance(columns)) == pytest.approx(expected, rel=1e-5)
    assert float(l2_distance(np.ones((5, 2), np.float32))) == 0


@pytest.mark.parametrize("shape", [(7, 3), (2, 4), (30, 2)])
def test_trace_norm_and_its_gradient_are_those_of_the_singular_values(shape):
    matrix = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    columns = tf.Variable(matrix)
    with tf.GradientTape() as tape:
        value = trace_norm(columns)
    left, singular, right = np.linalg.svd(matrix, full_matrices=False)
    assert float(value) == pytest.approx(singular.sum(), rel=1e-3)
    if shape[0] >= shape[1]:
        np.testing.assert_allclose(tape.gradient(value, columns), left @ right, atol=2e-3)


def test_trace_norm_has_a_gradient_where_all_columns_are_equal_or_zero():
    for matrix in (np.ones((6, 3), np.float32), np.zeros((6, 3), np.float32)):
        columns = tf.Variable(matrix)
        with tf.GradientTape() as tape:
            value = trace_norm(columns)
        assert float(value) == pytest.approx(np.linalg.svd(matrix)[1].sum(), abs=1e-2)
        assert np.all(np.isfinite(tape.gradient(value, columns)))


def test_the_penalty_is_in_training_only_and_has_a_strength_a_layer():
    networks = {name: keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="block_1"),
                                        keras.layers.Dense(1, name="block_10")], name=name) for name in "ab"}
    for seed, network in enumerate(networks.values()):
        spread_weights(network, seed)
    layer = ParameterDistance(networks, "l2", strength=0.5, strengths={"block_1": 2.0})
    one, two = ([np.asarray(weight) for weight in network.trainable_weights] for network in networks.values())
    distances = [np.sum((first - second) ** 2) for first, second in zip(one, two)]
    expected = 2.0 * sum(distances[:2]) + 0.5 * sum(distances[2:])
    frames = {name: tf.ones((1, 2, 3)) for name in "ab"}
    layer(frames, training=True)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)
    layer(frames, training=False)
    assert not layer.losses
    assert layer.strength_of("block_1_norm/gamma") == 2.0 and layer.strength_of("block_10/kernel") == 0.5


# -- cross-stitch and NDDR ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 5, 4, 3)])
def test_cross_stitch_mixes_channel_by_channel(shape):
    hidden, layer = tensors(3, *shape), CrossStitch(own=0.7)
    np.testing.assert_allclose(layer(hidden)[1], 0.15 * hidden[0] + 0.7 * hidden[1] + 0.15 * hidden[2], atol=1e-6)
    spread_weights(layer)
    expected = np.einsum("stc,t...c->s...c", np.asarray(layer.alpha), np.stack(hidden))
    np.testing.assert_allclose(np.stack(layer(hidden)), expected, atol=1e-5)


def test_cross_stitch_with_the_identity_is_a_network_for_each_task():
    stitched, sharing = features_model("cross_stitch", "ds_cnn")
    for mixer in sharing.mixers:
        mixer.alpha.assign(np.broadcast_to(np.eye(3)[..., None], mixer.alpha.shape))
    separate, _ = features_model("soft", "ds_cnn")
    report = assign_values(separate, model_values(stitched), "the stitched networks", strict=False)
    # A network of its own runs to the end, though its head reads an earlier block.
    assert all(path.startswith("backbone_gender/block_2") for path in report.missing)
    one, two = (model([make_features(), FRAMES]) for model in (stitched, separate))
    for head in BLOCKS:
        np.testing.assert_allclose(one[head], two[head], atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 5, 4, 3)])
def test_nddr_projects_all_channels_and_normalises(shape):
    hidden, layer = tensors(2, *shape), NDDR(own=0.9)
    at_first = layer(hidden)[0]
    np.testing.assert_allclose(at_first, (0.9 * hidden[0] + 0.1 * hidden[1]) / np.sqrt(1 + 1e-5), atol=1e-5)
    spread_weights(layer)
    weights = named(layer)
    for target, mixed in enumerate(layer(hidden)):
        expected = np.concatenate(hidden, axis=-1) @ weights[f"projection_{target}/kernel"].reshape(6, 3)
        deviation = np.sqrt(weights[f"norm_{target}/moving_variance"] + 1e-5)
        expected = (expected - weights[f"norm_{target}/moving_mean"]) / deviation
        expected = expected * weights[f"norm_{target}/gamma"] + weights[f"norm_{target}/beta"]
        np.testing.assert_allclose(mixed, expected, atol=1e-4)
    plain = NDDR(own=1.0, batch_norm=False)
    np.testing.assert_allclose(plain(hidden)[1], hidden[1], atol=1e-6)


# -- experts -----------------------------------------------------------------------------------------------------------

def softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def test_gates_sum_to_one_and_look_at_real_frames():
    inputs, = tensors(1, 2, 6, 3)
    experts = tensors(4, 2, 5, 7, seed=1)
    gate = ExpertGate()
    np.testing.assert_allclose(gate(inputs, experts), np.mean(experts, axis=0), atol=1e-5)  # all alike at first
    spread_weights(gate)
    lengths = np.array([6, 2], np.int32)
    shares = np.asarray(gate.shares(inputs, lengths))
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-6)
    means = np.stack([inputs[0].mean(axis=0), inputs[1, :2].mean(axis=0)])
    np.testing.assert_allclose(shares, softmax(means @ named(gate)["dense/kernel"]), atol=1e-5)
    expected = np.einsum("be,ebtc->btc", shares, np.stack(experts))
    np.testing.assert_allclose(gate(inputs, experts, lengths), expected, atol=1e-5)


def test_mmoe_is_a_mixture_of_whole_backbones():
    _, sharing = features_model("mmoe", "ds_cnn", {"keyword": 2, "gender": 1}, experts=3)
    features = make_features()
    mixed = run(sharing, {"keyword": 2, "gender": 1})
    outputs = [expert(features, None, training=False)[0] for expert in sharing.experts]
    for head, block in (("keyword", 2), ("gender", 1)):
        shares = np.asarray(sharing.gates[head].shares(features))
        expected = sum(shares[:, i, None, None] * np.asarray(frames[block - 1]) for i, frames in enumerate(outputs))
        np.testing.assert_allclose(mixed[head], expected, atol=1e-5)


def moves(model, prefix, head):
    """Whether the parameters under `prefix` have an effect on a head's frames."""
    weights = [weight for weight in model.trainable_weights if weight.path.startswith(prefix)]
    assert weights, f"no parameters under {prefix}"
    with tf.GradientTape() as tape:
        frames = model([tf.constant(make_features()), tf.constant(FRAMES, tf.int32)])[head]
        value = tf.reduce_sum(frames ** 2)
    gradients = tape.gradient(value, [weight.value for weight in weights])
    return any(gradient is not None and np.abs(gradient).max() > 0 for gradient in gradients)


def test_ple_mixes_own_and_shared_experts():
    blocks = {"keyword": 2, "phones": 2}
    model, sharing = features_model("ple", "ds_cnn", blocks, task_experts=2)
    features = make_features()
    streams = [network.run({"hidden": features, "lengths": None}, 0, 2, False)
               for owner in ("keyword", "shared") for network in sharing.experts[owner]]
    shares = np.asarray(sharing.gates["keyword", 2].shares(features))
    assert shares.shape == (3, 3)
    expected = sum(shares[:, i, None, None] * np.asarray(stream["hidden"]).mean(axis=2)
                   for i, stream in enumerate(streams))
    np.testing.assert_allclose(run(sharing, blocks)["keyword"], expected, atol=1e-5)
    assert moves(model, "backbone_shared_expert_1/", "keyword")
    assert moves(model, "backbone_keyword_expert_2/", "keyword")
    assert not moves(model, "backbone_phones_expert_1/", "keyword")


def test_progressive_levels_hear_all_experts_of_the_level_below():
    model, sharing = features_model("ple", "ds_cnn", {"keyword": 2, "phones": 2}, levels=2)
    assert moves(model, "backbone_phones_expert_1/block_1", "keyword")
    assert moves(model, "backbone_gender_expert_1/block_1", "keyword")  # a task without a head in this model
    assert not moves(model, "backbone_phones_expert_1/block_2", "keyword")
    assert set(sharing.gates) == {(owner, 1) for owner in (*BLOCKS, "shared")} | {("keyword", 2), ("phones", 2)}


# -- attention, adapters, branches -------------------------------------------------------------------------------------

def test_mtan_masks_the_shared_frames():
    frames, before = tensors(2, 2, 6, 4)
    layer = BlockAttention(reduction=2)
    layer([frames])
    spread_weights(layer)
    weights = named(layer)

    def norm(values, name):
        values = (values - weights[f"{name}/moving_mean"]) / np.sqrt(weights[f"{name}/moving_variance"] + 1e-5)
        return values * weights[f"{name}/gamma"] + weights[f"{name}/beta"]

    hidden = np.maximum(norm(frames @ weights["squeeze/kernel"], "squeeze_norm"), 0)
    mask = 1 / (1 + np.exp(-norm(hidden @ weights["expand/kernel"], "expand_norm")))
    np.testing.assert_allclose(layer([frames]), mask * frames, atol=1e-5)
    later = BlockAttention(reduction=2)
    later([frames, before])
    assert later.before.kernel.shape == (3, 4, 4) and later.squeeze.kernel.shape == (8, 2)
    assert np.all(np.abs(later([frames, before])) <= np.abs(frames))


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 5, 4, 3)])
def test_adapters_start_as_the_identity(shape):
    hidden, = tensors(1, *shape)
    layer = Adapter(size=2)
    np.testing.assert_array_equal(layer(hidden), hidden)
    spread_weights(layer)
    weights = named(layer)
    inner = np.maximum(hidden @ weights["down/kernel"].reshape(3, 2) + weights["down/bias"], 0)
    expected = hidden + inner @ weights["up/kernel"].reshape(2, 3) + weights["up/bias"]
    np.testing.assert_allclose(layer(hidden), expected, atol=1e-5)


def test_adapters_and_trunks_take_the_weights_of_a_hard_shared_model():
    hard, _ = features_model("hard", "ds_cnn")
    expected = hard([make_features(), FRAMES])
    adapted, sharing = features_model("adapters", "ds_cnn", first_block=2)
    report = assign_values(adapted, model_values(hard), "the hard-shared model", strict=False)
    assert report.missing and all(path.startswith("adapter_") for path in report.missing) and not report.unexpected
    for adapter in (sharing.adapters["keyword"][0], sharing.adapters["phones"][0]):
        for weight in adapter.up.weights:
            weight.assign(0 * weight)
    outputs = adapted([make_features(), FRAMES])
    for head in BLOCKS:
        np.testing.assert_allclose(outputs[head], expected[head], atol=1e-5)


def test_branches_share_exactly_the_blocks_up_to_theirs():
    options = {"groups": [["keyword", "gender"], ["phones"]]}
    blocks = dict.fromkeys(BLOCKS, 2)
    hard = {path.removeprefix("backbone/") for path in model_values(features_model("hard", "ds_cnn")[0])}
    for block in (0, 1):
        model, sharing = features_model("branching", "ds_cnn", blocks, block=block, **options)
        paths = [weight.path for weight in model.weights]
        below = {path for path in hard if not path.startswith(("block_1", "block_2")[block:])}
        assert {path.removeprefix("backbone/") for path in paths if path.startswith("backbone/")} == below
        for branch in ("keyword_gender", "phones"):
            own = {path.split("/", 1)[1] for path in paths if path.startswith(f"backbone_{branch}/")}
            assert own == hard - below
        outputs = run(sharing, blocks)
        np.testing.assert_array_equal(outputs["keyword"], outputs["gender"])
        assert np.abs(outputs["keyword"] - outputs["phones"]).max() > 1e-3
