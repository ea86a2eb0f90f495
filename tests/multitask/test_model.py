"""MultiTaskModel: every head learns from its own rows only; fit, evaluate and predict just work."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from speechzoo.config import ZooConfig, from_dict
from speechzoo.heads.error_rate import TokenErrorRate
from speechzoo.multitask.build import build_model
from tests.helpers import spread_weights, tone
from tests.tiny_models import tiny

CONFIG = tiny("small", {"type": "log_mel", "hop_seconds": 0.02}, {"type": "ds_cnn", "dropout": 0.0}, {
    "transcript": {"type": "ctc", "loss_weight": 0.5}, "keyword": {"dropout": 0.0, "block": 1},
    "slots": {"dropout": 0.0}, "speaker": {}})
LABELS = {
    "transcript": ["go", "up up", None, None],
    "keyword": [None, "yes", "what", None],
    "slots": [None, None, {"size": "large"}, {}],
    "speaker": ["ann", None, "bob", "ann"],
}
LENGTHS = np.array([9600, 8000, 9601, 4800], np.int32)


def make_model(weighting="static"):
    keras.utils.set_random_seed(1)
    model = build_model(from_dict(ZooConfig, {**CONFIG, "weighting": {"type": weighting}}),
                        labels={"speaker": ["ann", "bob"]})
    for part in (model.frontend, model.backbone, *model.heads.values()):
        spread_weights(part)
    return model


@pytest.fixture(scope="module")
def model():
    model = make_model()
    model.compile()
    return model


def make_batch(model, rows=range(4), extra=0, seed=0):
    """Inputs, targets and weights of some of the four utterances, with `extra` samples of padding."""
    random = np.random.default_rng(seed)
    audio = (0.1 * random.standard_normal((4, LENGTHS.max() + extra))).astype(np.float32)
    reference = (0.3 * np.random.default_rng(1).standard_normal((4, LENGTHS.max()))).astype(np.float32)
    for row, length in enumerate(LENGTHS):
        audio[row, :length] = reference[row, :length]
    rows, targets, weights = list(rows), {}, {}
    for name, labels in LABELS.items():
        default = model.heads[name].encode(next(label for label in labels if label is not None))
        encoded = [default if labels[row] is None else model.heads[name].encode(labels[row]) for row in rows]
        size = max(np.size(target) for target in encoded)
        targets[name] = np.stack([np.pad(target, (0, size - len(target))) if target.ndim else target
                                  for target in encoded])
        weights[name] = np.array([labels[row] is not None for row in rows], np.float32)
    return {"audio": audio[rows], "audio_length": LENGTHS[rows]}, targets, weights


def losses_of(model, inputs, targets, weights):
    """The total and each head's loss on one batch, as in evaluation."""
    model.reset_metrics()
    total = model.compute_loss(inputs, targets, model(inputs, training=False), weights, training=False)
    return float(total), {name: float(tracker.result()) for name, tracker in model.loss_trackers.items()}


def test_outputs_and_names(model):
    inputs, *_ = make_batch(model)
    outputs = model(inputs)
    assert {name: output.shape for name, output in outputs.items()} == {
        "transcript": (4, 15, 29), "keyword": (4, 3), "slots": (4, 5), "speaker": (4, 6)}
    assert [layer.name for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)] == [
        "frontend", "backbone", "transcript", "keyword", "slots", "speaker"] or set(model.heads) <= {
            layer.name for layer in model.layers}
    paths = [weight.path for weight in model.weights]
    assert len(set(paths)) == len(paths)
    spec = model.spec
    assert spec["sample_rate"] == 16000 and list(spec["heads"]) == list(CONFIG["heads"])
    assert spec["heads"]["transcript"]["frame_seconds"] == pytest.approx(0.04)


def test_unlabelled_rows_and_longer_padding_change_no_loss(model):
    for name in LABELS:
        rows = [row for row in range(4) if LABELS[name][row] is not None]
        alone = losses_of(model, *make_batch(model, rows))[1][name]
        together = losses_of(model, *make_batch(model, extra=5000, seed=3))[1][name]
        assert alone > 0
        assert together == pytest.approx(alone, rel=1e-5)


def test_total_is_the_weighted_sum(model):
    total, losses = losses_of(model, *make_batch(model))
    expected = 0.5 * losses["transcript"] + losses["keyword"] + losses["slots"] + losses["speaker"]
    assert total == pytest.approx(expected, rel=1e-6)


def test_a_head_without_labels_gets_no_gradient(model):
    inputs, targets, weights = make_batch(model)
    weights["keyword"] *= 0
    with tf.GradientTape() as tape:
        total = model.compute_loss(inputs, targets, model(inputs, training=False), weights, training=False)
    kept, dropped = (model.heads[name].trainable_weights for name in ("slots", "keyword"))
    gradients = tape.gradient(total, [weight.value for weight in [*kept, *dropped]])
    assert all(np.abs(gradient).max() > 0 for gradient in gradients[:len(kept)])
    assert all(np.abs(gradient).max() == 0 for gradient in gradients[len(kept):])


def test_targets_may_leave_heads_out(model):
    inputs, targets, weights = make_batch(model)
    every_head = losses_of(model, inputs, targets, weights)[1]
    total, losses = losses_of(model, inputs, {"keyword": targets["keyword"]}, {"keyword": weights["keyword"]})
    assert total == losses["keyword"] == pytest.approx(every_head["keyword"])
    without_weights = losses_of(model, inputs, {"keyword": targets["keyword"]}, None)[1]["keyword"]
    assert without_weights != pytest.approx(every_head["keyword"])  # now every row counts
    with pytest.raises(ValueError, match="the batch has targets for colour; the model has: transcript, keyword"):
        model.compute_loss(inputs, {"colour": targets["keyword"]}, model(inputs), None)


def test_padding_changes_no_output(model):
    short, *_ = make_batch(model)
    long, *_ = make_batch(model, extra=7777, seed=5)
    one, two = model(short), model(long)
    for row, length in enumerate(LENGTHS):
        alone = model({"audio": short["audio"][row:row + 1, :length], "audio_length": LENGTHS[row:row + 1]})
        for name in model.heads:
            frames = slice(None) if name != "transcript" else slice(0, alone[name].shape[1])
            np.testing.assert_allclose(two[name][row][frames], one[name][row][frames], atol=1e-5)
            np.testing.assert_allclose(alone[name][0][frames], one[name][row][frames], atol=1e-5)


def test_forward_unpadded_is_the_same_network(model):
    audio = tone(0.5, seed=1)[None]
    masked = model({"audio": audio, "audio_length": np.array([8000], np.int32)})
    for name, output in model.forward_unpadded(audio).items():
        np.testing.assert_allclose(output, masked[name], atol=1e-5)


def test_intermediate_blocks(model):
    features, lengths = model.frontend(*make_batch(model)[0].values())
    frames, lengths = model.backbone(features, lengths)
    keyword = model.heads["keyword"](frames[0], lengths)
    np.testing.assert_allclose(model(make_batch(model)[0])["keyword"], keyword, atol=1e-6)
    config = from_dict(ZooConfig, {**CONFIG, "heads": {"keyword": {**CONFIG["heads"]["keyword"], "block": 3}}})
    with pytest.raises(ValueError, match="head 'keyword' reads block 3; the backbone has blocks 1 to 2"):
        build_model(config)


def test_recognize(model):
    recognition = model.recognize(tone(0.4, seed=2))
    assert recognition.keyword in ("yes", "no", "_unknown_") and isinstance(recognition.transcript, str)
    assert np.linalg.norm(recognition.speaker) == pytest.approx(1, abs=1e-4)
    shorter_than_a_window = model.recognize(tone(0.4, seed=2)[:50])
    assert shorter_than_a_window.keyword in ("yes", "no", "_unknown_")
    with pytest.raises(ValueError, match="keywrd"):
        model.recognize(tone(0.4), heads=["keywrd"])


# -- compile, fit, evaluate, predict ----------------------------------------------------------------------------------

def test_fit_evaluate_and_predict_on_a_dataset_without_weights():
    model = make_model("uncertainty")
    model.compile(keras.optimizers.Adam(3e-3))
    inputs, targets, weights = make_batch(model)
    plain = tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(2)
    history = model.fit(plain, epochs=8, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] and history["keyword_loss"][-1] < history["keyword_loss"][0]
    first, again = (model.evaluate(plain, return_dict=True, verbose=0) for _ in range(2))
    assert first == pytest.approx(again, rel=1e-5)  # metrics start anew
    assert set(first) == {"loss", "transcript_loss", "transcript_cer", "keyword_loss", "keyword_accuracy", "slots_loss",
                          "slots_accuracy", "speaker_loss", "speaker_accuracy"}
    assert all(np.isfinite(value) for value in first.values())
    outputs = model.predict(plain, verbose=0)
    for name, output in model(inputs, training=False).items():
        np.testing.assert_allclose(outputs[name], output, atol=1e-4)

    # Metrics over batches are over labelled rows, as if they had come in one batch.
    weighted = tf.data.Dataset.from_tensor_slices((inputs, targets, weights))
    by_two, at_once = (model.evaluate(weighted.batch(size), return_dict=True, verbose=0) for size in (2, 4))
    for name in first:
        if name != "loss":
            assert by_two[name] == pytest.approx(at_once[name], rel=1e-4), name
    right = np.asarray(outputs["keyword"]).argmax(-1)[1:3] == targets["keyword"][1:3]
    assert at_once["keyword_accuracy"] == pytest.approx(right.mean())


def test_own_losses_are_averaged_over_labelled_rows_too(model):
    inputs, targets, weights = make_batch(model)
    expected = losses_of(model, inputs, targets, weights)[1]["keyword"]
    try:
        for loss in ("sparse_categorical_crossentropy", keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                     functools.partial(keras.losses.sparse_categorical_crossentropy, from_logits=True)):
            model.compile(loss={"keyword": loss})
            _, losses = losses_of(model, inputs, targets, weights)
            assert set(losses) == set(LABELS)
            if loss != "sparse_categorical_crossentropy":  # by name it takes probabilities
                assert losses["keyword"] == pytest.approx(expected, rel=1e-5)
        with pytest.raises(ValueError, match="loss for unknown head 'keywrd'; the model has: transcript, keyword"):
            model.compile(loss={"keywrd": "mse"})
    finally:
        model.compile()


def test_a_model_that_only_embeds_speakers_has_no_loss_for_them():
    model = build_model(from_dict(ZooConfig, CONFIG), heads=["keyword", "speaker"])
    model.compile()
    assert list(model.head_losses) == ["keyword"] and set(model.heads) == {"keyword", "speaker"}
    inputs, targets, weights = make_batch(make_model())
    model.compute_loss(inputs, {"keyword": targets["keyword"]}, model(inputs), weights)


def test_costly_metrics_rest_while_training(model):
    (metric,) = model.head_metrics["transcript"]
    assert isinstance(metric, TokenErrorRate)
    inputs, targets, weights = make_batch(model)
    model.reset_metrics()
    outputs = model(inputs)
    model.compute_loss(inputs, targets, outputs, weights, training=True)
    assert float(metric.units) == 0
    model.compute_loss(inputs, targets, outputs, weights, training=False)
    assert float(metric.units) == len("go") + len("up up")
