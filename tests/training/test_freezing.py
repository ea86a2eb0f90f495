"""What is frozen doesn't move."""

import keras
import numpy as np
import pytest

from speechzoo.config import ConfigError
from speechzoo.multitask.build import build_model
from speechzoo.multitask.resting import layers_of
from speechzoo.training.freezing import freeze
from speechzoo.training.step import make_train_step
from tests.multitask.test_weighting_training import make_batches, make_model, values_of


def train_steps(model, optimizer=None):
    """One step on each batch; the values of the weights before and after."""
    model.compile(optimizer or keras.optimizers.AdamW(0.05, weight_decay=0.1))
    before, step = values_of(model), make_train_step(model)
    for batch in make_batches():
        step(*batch)
    return before, values_of(model)


MEASURED = ("/threshold", "/weak", "/wake_doubts")


def moved(before, after):
    return {path for path, value in before.items() if (after[path] != value).any()}


def test_what_matches_stays_and_the_rest_trains():
    model = make_model("static")
    frozen = freeze(model, ["backbone/block_1_*", "gender/*"])
    before, after = train_steps(model)
    assert frozen == {path for path in before if path.startswith(("backbone/block_1_", "gender/"))}
    assert {"backbone/block_1_norm_depthwise/moving_mean", "gender/logits/kernel"} <= frozen
    measured = {path for path in before if path.endswith(MEASURED)}  # and not trained
    assert moved(before, after) == before.keys() - frozen - measured - {"frontend/mean", "frontend/variance"}
    kept = {variable.path.split("/", 1)[-1] for variable in model.optimizer.variables}
    assert len(kept) == 2 + 2 * len(model.trainable_variables)  # step, rate, and two moments of each


@pytest.mark.usefixtures("without_graphs")
def test_single_weights_of_a_layer():
    model = make_model("static")
    assert freeze(model, ["*/kernel"]) == {path for path in values_of(model) if path.endswith("/kernel")}
    before, after = train_steps(model)
    still = before.keys() - moved(before, after)
    assert still == {path for path in before if path.endswith(("/kernel", *MEASURED)) or path.startswith("frontend/")}


@pytest.mark.usefixtures("without_graphs")
def test_a_frozen_backbone_computes_what_it_does_after_training():
    """No dropout, and the stored statistics: the loss of a training step is that of an evaluation."""
    model = make_model("static")
    for head in model.heads.values():
        head.dropout.rate = 0.0
    freeze(model, ["frontend/*", "backbone/*"])
    model.compile(keras.optimizers.SGD(0.0))
    inputs, targets, weights = make_batches()[0]
    evaluated = model.evaluate(inputs, targets, sample_weight=weights, verbose=0, return_dict=True)
    trained = make_train_step(model)(inputs, targets, weights)
    assert trained["loss"] == pytest.approx(evaluated["loss"], rel=1e-5)
    plain = make_model("static")
    plain.compile(keras.optimizers.SGD(0.0))
    assert make_train_step(plain)(inputs, targets, weights)["loss"] != pytest.approx(evaluated["loss"], rel=1e-3)


@pytest.mark.usefixtures("without_graphs")
def test_statistics_alone():
    """Scales and offsets train on the statistics that there were."""
    model = make_model("static")
    for layer in layers_of(model):
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    frozen = freeze(model, ["backbone/*/moving_*"])
    assert frozen == {path for path in values_of(model) if path.startswith("backbone/") and "/moving_" in path}
    model.compile(keras.optimizers.SGD(0.0))
    inputs, targets, weights = make_batches()[0]
    evaluated = model.evaluate(inputs, targets, sample_weight=weights, verbose=0, return_dict=True)
    assert make_train_step(model)(inputs, targets, weights)["loss"] == pytest.approx(evaluated["loss"], rel=1e-5)
    before, after = train_steps(model)
    changed = moved(before, after)
    assert not frozen & changed and {path.replace("moving_mean", "gamma") for path in frozen
                                     if path.endswith("moving_mean")} <= changed


@pytest.mark.usefixtures("without_graphs")
@pytest.mark.parametrize("weighting", ["gradnorm", "pcgrad"])
def test_heads_alone_train_under_weightings_of_gradients(weighting):
    model = make_model(weighting)
    freeze(model, ["frontend/*", "backbone/*"])
    before, after = train_steps(model)
    changed = moved(before, after)
    assert {f"{head}/logits/kernel" for head in model.heads} <= changed
    assert not any(path.startswith(("frontend", "backbone")) for path in changed)


def test_soft_sharing_pulls_towards_what_is_frozen():
    config = make_model("static").zoo_config
    from speechzoo.config import PartConfig

    config.sharing = PartConfig("soft", {"strength": 1.0})
    model = build_model(config)
    freeze(model, ["backbone_keyword/*"])
    distance = model.sharing.distance
    two = float(distance.penalty(["keyword", "gender"]))
    weights = [(one, other) for one, other in zip(*[model.sharing.networks[name].weights
                                                    for name in ("keyword", "gender")])]
    expected = sum(np.sum((np.array(one) - np.array(other)) ** 2) for one, other in weights if other.trainable)
    assert two == pytest.approx(expected, rel=1e-5) and expected > 0


@pytest.mark.parametrize("patterns, message", [
    (["backbone/blok_1_*"], r"no weight matches 'backbone/blok_1_\*'; near it: .*backbone/block_1_pointwise/"),
    (["zzz"], r"no weight matches 'zzz'; the model has: frontend/\*, backbone/\*, event/\*, gender/\*, keyword/\*"),
    (["weighting/*"], "no weight matches 'weighting/"),
    (["*"], r"training.freeze: \* leaves nothing of model 'tiny' to train"),
    (["backbone/norm_1/moving_mean"], r"backbone/norm_1/moving_mean can't rest while backbone/norm_1/beta trains; freeze "
                                      r"backbone/norm_1/\*, all of its statistics, or neither"),
])
def test_patterns_that_can_not_be_meant(patterns, message):
    with pytest.raises(ConfigError, match=message) as caught:
        freeze(make_model("uncertainty"), patterns)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
