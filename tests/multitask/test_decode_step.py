"""A head `seq2seq` in a model: it trains beside CTC on every backend, is saved, and writes step by step."""

import keras
import numpy as np
import pytest

from speechzoo.config import ZooConfig, from_dict
from speechzoo.decoding.attention.cache import CACHE_STEP
from speechzoo.multitask.build import build_model
from tests.helpers import tone
from tests.on_jax import run_on_jax

CONFIG = {
    "name": "writer",
    "summary": "Small, with attention and CTC.",
    "frontend": {"type": "log_mel", "num_mel_bins": 12},
    "backbone": {"type": "ds_cnn", "channels": 6, "num_blocks": 2, "dropout": 0.0},
    "heads": {
        "transcript": {"type": "seq2seq", "layers": 1, "size": 8, "num_heads": 2, "maximum_tokens": 40},
        "letters": {"type": "ctc", "label": "transcript", "loss_weight": 0.3},
    },
}
AUDIO = np.stack([tone(0.5, 300, seed=1), tone(0.5, 900, seed=2)])
INPUTS = {"audio": AUDIO, "audio_length": np.array([8000, 6000], np.int32)}


def make_model():
    keras.utils.set_random_seed(1)
    return build_model(from_dict(ZooConfig, CONFIG))


def targets_of(model):
    return {name: np.stack([np.pad(head.encode(text), (0, 4 - len(head.encode(text)))) for text in ("ab", "a")])
            for name, head in model.heads.items()}


@pytest.fixture(scope="module")
def trained():
    model = make_model()
    model.compile(keras.optimizers.Adam(0.03), run_eagerly=True)  # for so few steps, a graph takes too long to make
    history = model.fit(INPUTS, targets_of(model), epochs=12, verbose=0).history
    assert history["transcript_loss"][-1] < 0.7 * history["transcript_loss"][0]
    return model


def test_it_trains_beside_ctc_and_counts_tokens(trained):
    logs = trained.evaluate(INPUTS, targets_of(trained), verbose=0, return_dict=True)
    assert 0 < logs["transcript_accuracy"] <= 1 and "letters_cer" in logs
    np.testing.assert_allclose(logs["loss"], logs["transcript_loss"] + 0.3 * logs["letters_loss"], rtol=1e-5)
    heads = trained.on_frames()
    heads.compile(run_eagerly=True)
    frames = trained.to_frames().predict(INPUTS, verbose=0)
    found = heads.evaluate(frames, targets_of(trained), verbose=0, return_dict=True)
    np.testing.assert_allclose(found["transcript_loss"], logs["transcript_loss"], rtol=1e-4)


def test_a_saved_model_writes_the_same(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one, two in zip(trained.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two), err_msg=one.path)
    assert loaded.heads["transcript"].spec() == trained.heads["transcript"].spec()


def test_steps_write_what_the_decoder_says(trained):
    head, step = trained.heads["transcript"], trained.decode_steps["transcript"]
    assert list(trained.decode_steps) == ["transcript"]
    memory = trained.batch_outputs([AUDIO[0], AUDIO[1][:6000]])[1]["transcript"]  # of the second, with its padding
    texts = np.random.default_rng(0).integers(0, 30, (3, CACHE_STEP + 3))
    expected, state = np.asarray(head.decode(texts.astype(np.int32), np.repeat(memory[None], 3, axis=0))), None
    for position in range(texts.shape[1]):
        logits, state, attention = step(texts[:, position], position, memory, state)
        np.testing.assert_allclose(logits, expected[:, position], atol=1e-5)
        assert attention.shape == (3, len(memory)) and not attention[:, memory[:, -1] == 0].any()
        if position == 5:  # a search goes on with other rows
            texts, expected = texts[[2, 0, 0]], expected[[2, 0, 0]]
            state = {name: part[[2, 0, 0]] for name, part in state.items()}
    assert {part.shape for part in state.values()} == {(3, 40, 8)}  # no more than it can write


ON_JAX = """
import keras
import numpy as np
from tests.multitask.test_decode_step import AUDIO, INPUTS, make_model, targets_of
model = make_model()
model.compile(keras.optimizers.Adam(0.01))
logs = model.fit(INPUTS, targets_of(model), epochs=30, verbose=0).history["transcript_loss"]
memory = model.batch_outputs([AUDIO[0]])[0]["transcript"]
texts = np.array([[0, 3, 5]], np.int32)
expected, state, differences = np.asarray(model.heads["transcript"].decode(texts, memory[None])), None, []
for position in range(3):
    logits, state, _ = model.decode_steps["transcript"](texts[:, position], position, memory, state)
    differences.append(float(np.abs(logits - expected[:, position]).max()))
print(logs[-1] < 0.7 * logs[0], max(differences) < 1e-5)
"""


@pytest.mark.slow
@pytest.mark.jax
def test_it_trains_and_writes_on_jax():
    assert run_on_jax(ON_JAX) == "True True\n"
