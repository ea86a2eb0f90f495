"""A model in two parts is the whole model."""

import keras
import numpy as np
import pytest

from speechzoo.config import PartConfig
from speechzoo.multitask.build import build_model
from tests.multitask.test_weighting_training import make_batches, make_model


@pytest.mark.usefixtures("without_graphs")
def test_both_parts_together_are_the_whole():
    model = make_model("uncertainty")
    inputs, targets, weights = make_batches()[1]
    inputs["audio_length"][:2] = 3000
    before, heads = model.to_frames(), model.on_frames()
    frames = before.predict_on_batch(inputs)
    assert {name: value.shape[-1] for name, value in frames.items() if name != "frame_length"} == {
        "frames_1": 6, "frames_2": 6}
    expected, found = model.predict_on_batch(inputs), heads.predict_on_batch(frames)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-6, err_msg=name)
    losses = []
    for part, batch in ((model, inputs), (heads, frames)):
        part.compile(keras.optimizers.SGD())
        losses.append(part.evaluate(batch, targets, sample_weight=weights, verbose=0, return_dict=True))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_the_heads_are_the_same_layers_in_the_same_order():
    """An optimizer that was built for the whole model, whose backbone is frozen, trains the heads."""
    model = make_model("uncertainty")
    heads = model.on_frames()
    model.frontend.trainable = model.backbone.trainable = False
    assert [id(one) for one in heads.trainable_variables] == [id(one) for one in model.trainable_variables]
    assert len(heads.trainable_variables) > 10


def test_heads_with_networks_of_their_own_have_no_frames_in_common():
    config = make_model("static").zoo_config
    config.sharing = PartConfig("soft")
    with pytest.raises(ValueError, match="has no frames that all its heads read"):
        build_model(config).to_frames()
