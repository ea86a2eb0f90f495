"""Streamed equals offline, frame by frame, however the audio is split."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo.config import ConfigError
from speechzoo.frontends import FRONTENDS
from speechzoo.heads import HEADS
from speechzoo.multitask.stream_step import step_samples
from tests import tiny_parts
from tests.model_checks import TOLERANCE, check_streaming, stepper
from tests.tiny_models import build, streaming, streaming_model, tiny


def noise(samples, batch=None, seed=0):
    shape = samples if batch is None else (batch, samples)
    return (0.2 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def as_arrays(outputs):
    return {name: np.asarray(output) for name, output in outputs.items()}


@pytest.mark.parametrize("backbone", tiny_parts.STREAMING)
@pytest.mark.parametrize("milliseconds", [10, 1000])
def test_streamed_equals_offline(backbone, milliseconds):
    model = streaming_model(backbone)
    samples = 16 * milliseconds
    if milliseconds == 10:
        audio = noise(4 * step_samples(model) + 77)
        check_streaming(model, audio, range(160, len(audio), 160))
    else:  # whole seconds at once
        check_long_steps(model, noise(2 * samples + 6 * step_samples(model)), samples)


def check_long_steps(model, audio, samples):
    step = step_samples(model)
    long = -(-samples // step) * step
    state, logits = None, []
    for start in range(0, len(audio) - long + 1, long):
        outputs, state = model.stream_step(audio[None, start:start + long], state)
        logits.append(np.asarray(outputs["letters"])[0])
        offline = as_arrays(model.forward_unpadded(audio[None, :start + long]))
        for head, output in as_arrays(outputs).items():
            if head not in ("letters", "speech"):
                np.testing.assert_allclose(output, offline[head], atol=TOLERANCE, rtol=0, err_msg=head)
    assert len(logits) >= 2
    np.testing.assert_allclose(np.concatenate(logits), offline["letters"][0], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("chunk, left_context", [(1, 0), (1, 3), (25, 10)])
def test_chunks_from_one_frame_to_a_second(chunk, left_context):
    model = streaming_model("conformer", chunk=chunk, left_context=left_context)
    assert step_samples(model) == 640 * chunk
    check_streaming(model, noise((2 if chunk > 1 else 6) * step_samples(model) + 33), [100, 5000])


@pytest.mark.parametrize("frontend", [
    {"type": "log_mel", "transform": "matmul", "window_seconds": 0.025, "hop_seconds": 0.02},
    {"type": "log_mel", "transform": "fft", "window_seconds": 0.032, "hop_seconds": 0.02},
    {"type": "log_mel", "normalization": "running"}, {"type": "micro_features"}, {"type": "pcen"}, {"type": "leaf"}],
    ids=["matmul", "fft", "running", "micro", "pcen", "leaf"])
def test_front_ends(frontend):
    model = build(streaming(frontend=frontend))
    check_streaming(model, noise(5 * step_samples(model) + 3), [1, 2, 700])


def test_every_front_end_that_can_be_causal_is_here():
    assert [name for name, frontend in FRONTENDS.items() if frontend().causal or "causal" in frontend().get_config()] == [
        "leaf", "log_mel", "micro_features", "pcen"]


def test_every_head():
    heads = {name: {"type": name, **tiny_parts.HEADS[name]} for name, head in HEADS.items() if not head.auxiliary}
    forgetful = {f"forgetful_{name}": {**options, "memory": 5.0} for name, options in heads.items()
                 if name in ("classifier", "spotter", "svm")}
    model = build(streaming(heads={**heads, **forgetful}, stride_frames=4))
    check_streaming(model, noise(9 * step_samples(model) + 50), [700])


@settings(max_examples=8, deadline=None, database=None, derandomize=True)
@given(st.lists(st.integers(0, 3000), max_size=12).map(sorted))
def test_any_split_of_the_audio(cuts):
    """Also the same steps whatever the split, to the last bit."""
    model, audio = streaming_model("ds_cnn"), noise(3000, seed=3)
    whole = list(stepper(model).feed(audio))
    stream = stepper(model)
    pieces = [outputs for piece in np.split(audio, cuts) for outputs in stream.feed(piece)]
    assert len(pieces) == len(whole) == 3000 // step_samples(model)
    for one, two in zip(pieces, whole):
        for head in one:
            np.testing.assert_array_equal(one[head], two[head])
    offline = as_arrays(model.forward_unpadded(audio[None, :len(pieces) * step_samples(model)]))
    np.testing.assert_allclose(np.concatenate([outputs["letters"] for outputs in pieces]), offline["letters"][0],
                               atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("backbone", ["conformer", "crdnn"])  # pasts, keys and values; LSTM memories
def test_streams_of_a_batch_do_not_touch_each_other(backbone):
    model = streaming_model(backbone)
    step = step_samples(model)
    audio, state = noise(3 * step, batch=3), model.initial_state(3)
    for start in range(0, 3 * step, step):
        together, state = model.stream_step(audio[:, start:start + step], state)
    for row in range(3):
        alone_state = None
        for start in range(0, 3 * step, step):
            alone, alone_state = model.stream_step(audio[row:row + 1, start:start + step], alone_state)
        for head, output in as_arrays(alone).items():
            np.testing.assert_allclose(output[0], np.asarray(together[head])[row], atol=1e-5, err_msg=head)


def test_zeros_are_the_beginning_and_a_state_is_what_its_model_wants():
    model = streaming_model("conformer")
    zeros = model.initial_state()
    assert all(not value.any() and value.dtype == np.float32 for value in zeros.values())
    audio = noise(step_samples(model), batch=1)
    from_zeros, state = model.stream_step(audio, zeros)
    from_none, _ = model.stream_step(audio)
    assert set(state) == set(zeros)
    for head in from_none:
        np.testing.assert_array_equal(np.asarray(from_zeros[head]), np.asarray(from_none[head]))
    with pytest.raises(ValueError, match="the state lacks .* that of another model"):
        model.stream_step(audio, streaming_model("ds_cnn").initial_state())
    with pytest.raises(ValueError, match="has shape .2, .* another model or batch"):
        model.stream_step(audio, model.initial_state(2))
    with pytest.raises(ValueError, match="a step takes .batch, 1280 samples. or a multiple, got .1, 1281."):
        model.stream_step(np.zeros((1, 1281), np.float32))


def test_what_a_stepper_refuses():
    stream = stepper(streaming_model("ds_cnn"))
    with pytest.raises(ValueError, match="one channel"):
        list(stream.feed(np.zeros((2, 100))))
    list(stream.feed(np.zeros(330, np.float32)))
    with pytest.raises(ValueError, match="sample 331 of the stream is not a finite number"):
        list(stream.feed(np.array([0.0, np.nan])))


def test_a_wake_word_is_forgotten_and_an_utterance_is_not():
    """With a memory the head follows the stream; without one it weighs all of it."""
    model = streaming_model("ds_cnn")
    step = step_samples(model)
    outputs = {}
    for first in (1, 2):
        _, state = model.stream_step(noise(8 * step, batch=1, seed=first))
        for seed in (9, 10):
            answer, state = model.stream_step(noise(150 * step, batch=1, seed=seed), state)
        outputs[first] = as_arrays(answer)
    np.testing.assert_allclose(outputs[1]["keyword"], outputs[2]["keyword"], atol=1e-5)
    assert np.abs(outputs[1]["speaker"] - outputs[2]["speaker"]).max() > 1e-5


def test_causality_must_be_whole():
    with pytest.raises(ConfigError, match="its front end looks ahead; add causal: true to the front end"):
        build(streaming(frontend={"type": "log_mel", "causal": False}))
    with pytest.raises(ConfigError, match="can't be normalised by the utterance.*use normalization: stored"):
        build(streaming(frontend={"type": "log_mel", "normalization": "utterance"}))
    with pytest.raises(ConfigError, match="head 'phones' looks ahead; set convolutions: 0"):
        build(streaming(heads={"phones": {"convolutions": 1}}))
    with pytest.raises(ConfigError, match="head 'speaker' looks ahead; set pooling: attentive"):
        build(streaming(heads={"speaker": {"pooling": "embeddings"}}))
    with pytest.raises(ConfigError, match="sharing 'soft' doesn't stream; use hard"):
        build({**streaming(), "sharing": "soft"})


def test_a_model_that_looks_ahead_says_so():
    model = build(tiny())
    assert not model.can_stream and "stream" not in model.spec
    with pytest.raises(ValueError, match="can't stream: its front end and backbone are not causal"):
        model.initial_state()


@pytest.mark.usefixtures("without_graphs")
def test_streams_train(tmp_path):
    model = build(streaming("conformer", heads=["letters", "keyword"]), spread=False)
    model.compile(keras.optimizers.Adam(1e-2))
    inputs = {"audio": noise(16000, batch=2), "audio_length": np.array([16000, 9000], np.int32)}
    targets = {"letters": np.array([[1, 2], [2, 0]], np.int32), "keyword": np.array([0, 1], np.int32)}
    losses = [float(model.train_on_batch(inputs, targets, return_dict=True)["loss"]) for _ in range(12)]
    assert losses[-1] < losses[0]
