"""A training step is that of Keras, and its graph is made once."""

import keras
import numpy as np

from speechzoo.training.step import make_train_step
from tests.multitask.test_weighting_training import make_batches, make_model, values_of


def batches_of_all_shapes():
    """Batches of other lengths and sizes."""
    first, second = make_batches()
    inputs = {"audio": first[0]["audio"][:, :3000], "audio_length": np.full(4, 3000, np.int32)}
    yield first
    yield inputs, *first[1:]
    yield tuple({name: value[:3] for name, value in part.items()} for part in second)


def test_steps_are_those_of_keras():
    found, expected = make_model("static"), make_model("static")
    for model in (found, expected):  # eager, the reference needs no graphs
        model.compile(keras.optimizers.AdamW(3e-3, use_ema=True), run_eagerly=model is expected)
    step = make_train_step(found)
    for batch in batches_of_all_shapes():
        logs, wanted = step(*batch), expected.train_on_batch(*batch, return_dict=True)
        assert logs.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_allclose(logs[name], value, rtol=1e-4, err_msg=name)
    for one, two in zip(values_of(found).values(), values_of(expected).values(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)


def test_the_graph_is_made_once(monkeypatch):
    model = make_model("rlw")
    model.compile(keras.optimizers.AdamW(3e-3))
    graphs = []
    original = model.train_step
    monkeypatch.setattr(model, "train_step", lambda batch: graphs.append(1) or original(batch))
    step = make_train_step(model)
    for batch in batches_of_all_shapes():
        assert np.isfinite(step(*batch)["loss"])
    assert len(graphs) == 1
