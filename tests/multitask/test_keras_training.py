"""compile, fit, evaluate and predict as Keras users write them, with values computed by hand in NumPy."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf

from speechzoo.config import ZooConfig, from_dict
from speechzoo.data.pipeline import dataset_from_manifest
from speechzoo.multitask.build import build_model
from speechzoo.registry import load
from tests.helpers import spread_weights
from tests.tiny_models import tiny
from tests.training.tiny_corpus import make_corpus

CONFIG = tiny("two", {"type": "log_mel", "normalization": "none"},
              {"type": "ds_cnn", "num_blocks": 1, "dropout": 0.0}, {
    "keyword": {"dropout": 0.0, "loss_weight": 0.5}, "gender": {"dropout": 0.0, "loss_weight": 2.0},
    "phones": {"dropout": 0.0}})
FACTORS = {"keyword": 0.5, "gender": 2.0, "phones": 1.0}
LENGTHS = np.array([8000, 6400, 4800, 9600, 8000, 3200, 5600], np.int32)


def make_model(heads=("keyword", "gender"), weighting="static"):
    keras.utils.set_random_seed(1)
    model = build_model(from_dict(ZooConfig, {**CONFIG, "weighting": {"type": weighting}}), heads=list(heads))
    for part in (model.frontend, model.backbone, *model.heads.values()):
        spread_weights(part)
    return model


def make_arrays():
    """Seven rows; the last three have no label of `gender`, so that a batch of some of them has none."""
    random = np.random.default_rng(0)
    audio = (0.2 * random.standard_normal((7, LENGTHS.max()))).astype(np.float32)
    targets = {"keyword": random.integers(0, 3, 7).astype(np.int32), "gender": random.integers(0, 2, 7).astype(np.int32)}
    weights = {"keyword": np.ones(7, np.float32), "gender": np.array([1, 1, 1, 1, 0, 0, 0], np.float32)}
    return {"audio": audio, "audio_length": LENGTHS}, targets, weights


def losses_by_hand(outputs, targets, weights):
    """Each head's cross entropy in nats, averaged over the rows with weight."""
    losses = {}
    for name, target in targets.items():
        logits = np.asarray(outputs[name], np.float64)
        log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        rows = -log_probabilities[np.arange(len(target)), target]
        losses[name] = float((rows * weights[name]).sum() / weights[name].sum())
    return losses


def run(model, weights, epochs=1, **options):
    inputs, targets, _ = make_arrays()
    return model.fit(inputs, targets, sample_weight=weights, epochs=epochs, verbose=0, shuffle=False, **options).history


@pytest.mark.parametrize("batch_size", [7, 4, 2])
def test_the_loss_of_fit_is_the_weighted_sum_of_the_heads_losses(batch_size):
    model = make_model()
    # The batch normalisation sees other batches than in evaluation, unless it rests.
    model.backbone.trainable = False
    model.compile(keras.optimizers.SGD(0.0))
    inputs, targets, weights = make_arrays()
    expected = losses_by_hand(model(inputs), targets, weights)
    history = run(model, weights, 2, batch_size=batch_size)
    for epoch in range(2):
        for name, loss in expected.items():
            assert history[f"{name}_loss"][epoch] == pytest.approx(loss, rel=1e-4)
        assert history["loss"][epoch] == pytest.approx(0.5 * expected["keyword"] + 2.0 * expected["gender"], rel=1e-4)


@pytest.mark.usefixtures("without_graphs")
@pytest.mark.parametrize("weighting", ["static", "uncertainty", "dwa", "pcgrad"])
def test_the_loss_of_evaluate_does_not_depend_on_batches(weighting):
    model = make_model(weighting=weighting)
    model.compile()
    inputs, targets, weights = make_arrays()
    expected = losses_by_hand(model(inputs), targets, weights)
    total = sum(FACTORS[name] * loss for name, loss in expected.items())
    for batch_size in (7, 3, 2):
        values = model.evaluate(inputs, targets, sample_weight=weights, batch_size=batch_size, verbose=0,
                                return_dict=True)
        assert values["loss"] == pytest.approx(total, rel=1e-4)
        assert {name: values[f"{name}_loss"] for name in expected} == pytest.approx(expected, rel=1e-4)
    listed = model.evaluate(inputs, targets, sample_weight=weights, verbose=0)
    assert dict(zip(model.metrics_names, listed, strict=True)) == pytest.approx(values, rel=1e-4)
    in_training = run(model, weights, batch_size=7)
    assert in_training["loss"][0] > 0 and run(model, weights, 2, batch_size=4)["loss"][-1] < 2 * total


@pytest.mark.usefixtures("without_graphs")
def test_what_layers_add_is_in_the_loss_once():
    config = {**CONFIG, "heads": {"keyword": {"type": "svm", "classes": ["yes", "no", "maybe"], "l2": 0.1}}}
    model = build_model(from_dict(ZooConfig, config))
    model.compile()
    inputs, targets, _ = make_arrays()
    for batch_size in (7, 2):
        values = model.evaluate(inputs, {"keyword": targets["keyword"]}, batch_size=batch_size, verbose=0,
                                return_dict=True)
        (kernel,) = [weight for weight in model.trainable_weights if weight.path.endswith("keyword/logits/kernel")]
        added = 0.1 * float(np.square(np.asarray(kernel)).sum())
        assert values["loss"] == pytest.approx(values["keyword_loss"] + added, rel=1e-4)


# -- predict ----------------------------------------------------------------------------------------------------------

def batches_of(inputs, sizes):
    """Batches of `sizes` rows, each as long as its longest row."""
    start = 0
    for size in sizes:
        lengths = inputs["audio_length"][start:start + size]
        yield {"audio": inputs["audio"][start:start + size, :lengths.max()], "audio_length": lengths}
        start += size


@pytest.mark.usefixtures("without_graphs")
@pytest.mark.parametrize("sizes", [(7,), (3, 2, 2), (1,) * 7])
def test_predict_gives_one_row_for_each_recording_in_order(sizes):
    model = make_model(CONFIG["heads"])
    inputs, *_ = make_arrays()
    signature = {"audio": tf.TensorSpec((None, None)), "audio_length": tf.TensorSpec((None,), tf.int32)}
    dataset = tf.data.Dataset.from_generator(lambda: batches_of(inputs, sizes), output_signature=signature)
    outputs = model.predict(dataset, verbose=0)
    with_targets = model.predict(dataset.map(lambda batch: (batch, {"keyword": 0}, {"keyword": 1.0})), verbose=0)
    arrays = model.predict(inputs, batch_size=3, verbose=0)
    for name, output in outputs.items():
        assert isinstance(output, np.ndarray) and len(output) == 7
        for row, length in enumerate(LENGTHS):
            alone = np.asarray(model(inputs["audio"][row:row + 1, :length])[name])[0]
            frames = slice(len(alone)) if name == "phones" else slice(None)
            for several in (outputs, with_targets, arrays):
                np.testing.assert_allclose(several[name][row][frames], alone, atol=1e-4)
                if name == "phones":  # blank, for sure
                    padding = several[name][row][len(alone):]
                    assert (padding[:, 0] == 0).all() and (padding[:, 1:] == -1e9).all()


@pytest.mark.usefixtures("without_graphs")
def test_predict_takes_what_keras_takes():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return list(batches_of(inputs, (3, 2, 2)))[index], {"keyword": np.zeros(3 - (index > 0), np.int32)}

    model = make_model(CONFIG["heads"])
    inputs, *_ = make_arrays()
    seen = []
    callback = keras.callbacks.LambdaCallback(on_predict_batch_end=lambda step, logs: seen.append(
        (step, logs["keyword"].shape[0])))
    expected = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(model.predict(Batches(), verbose=0, callbacks=[callback])["phones"][:, :40],
                               expected["phones"][:, :40], atol=1e-4)
    assert seen == [(0, 3), (1, 2), (2, 2)]
    assert len(model.predict(batches_of(inputs, (3, 2, 2)), steps=2, verbose=0)["keyword"]) == 5
    assert len(model.predict(inputs, batch_size=2, steps=2, verbose=0)["phones"]) == 4
    with pytest.raises(ValueError, match="batch_size is for arrays"):
        model.predict(batches_of(inputs, (7,)), batch_size=2, verbose=0)


@pytest.mark.usefixtures("without_graphs")
def test_rows_of_full_length_need_no_lengths():
    model = make_model(CONFIG["heads"])
    inputs, targets, weights = make_arrays()
    full = {"audio": inputs["audio"], "audio_length": np.full(7, LENGTHS.max(), np.int32)}
    expected = model(full)
    for answers in (model(inputs["audio"]), model({"audio": inputs["audio"]}), model(tf.constant(inputs["audio"])),
                    model(inputs["audio"].astype(np.float64)), model.predict(inputs["audio"], verbose=0),
                    model.predict_on_batch({"audio": inputs["audio"]})):
        for name, output in expected.items():
            np.testing.assert_allclose(answers[name], output, atol=1e-4)
    own = keras.Input((None,))
    inside = keras.Model(own, keras.layers.Softmax()(model(own)["keyword"]))
    np.testing.assert_allclose(inside(inputs["audio"]), keras.ops.softmax(expected["keyword"]), atol=1e-4)
    model.compile()
    assert model.evaluate(inputs["audio"], targets, verbose=0, return_dict=True) == pytest.approx(
        model.evaluate(full, targets, verbose=0, return_dict=True), rel=1e-4)
    with pytest.raises(ValueError, match=r"audio must be \(batch, samples\), got \(9600,\); one recording is audio\[No"):
        model(inputs["audio"][0])


# -- compile ----------------------------------------------------------------------------------------------------------

@pytest.mark.usefixtures("without_graphs")
def test_losses_weights_and_metrics_given_to_compile():
    inputs, targets, weights = make_arrays()
    model = make_model()
    factors = dict(model.weighting.weights_of_heads)
    model.compile(loss={"keyword": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
                  loss_weights={"gender": 3}, metrics={
                      "keyword": [keras.metrics.SparseTopKCategoricalAccuracy(2, name="top_2"), "accuracy"],
                      "gender": keras.metrics.sparse_categorical_crossentropy})
    outputs = model.predict(inputs, verbose=0)
    expected = losses_by_hand(outputs, targets, weights)
    values = model.evaluate(inputs, targets, sample_weight=weights, batch_size=2, verbose=0, return_dict=True)
    assert set(values) == {"loss", "keyword_loss", "gender_loss", "keyword_top_2", "keyword_accuracy",
                           "gender_accuracy", "gender_sparse_categorical_crossentropy"}
    assert values["loss"] == pytest.approx(0.5 * expected["keyword"] + 3 * expected["gender"], rel=1e-4)
    ranks = (outputs["keyword"] > outputs["keyword"][np.arange(7), targets["keyword"], None]).sum(axis=1)
    assert values["keyword_top_2"] == pytest.approx((ranks < 2).mean())
    assert values["keyword_accuracy"] == pytest.approx((ranks == 0).mean())
    right = outputs["gender"].argmax(axis=1) == targets["gender"]
    assert values["gender_accuracy"] == pytest.approx(right[:4].mean())

    model.compile()  # nothing is left of what was given before
    assert model.weighting.weights_of_heads == factors
    assert model.metrics_names == ["loss", "keyword_loss", "gender_loss", "keyword_accuracy", "gender_accuracy"]


@pytest.mark.usefixtures("without_graphs")
def test_a_model_with_one_head_takes_its_loss_and_metrics_alone():
    inputs, targets, _ = make_arrays()
    model = make_model(["keyword"])
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    assert set(model.evaluate(inputs, {"keyword": targets["keyword"]}, verbose=0, return_dict=True)) == {
        "loss", "keyword_loss", "keyword_accuracy"}


@pytest.mark.parametrize("options, message", [
    ({"loss": "mse"}, "loss must be a dict by head, such as {'keyword': ...}, because the model has several heads"),
    ({"loss_weights": [1, 2]}, "loss_weights must be a dict by head"),
    ({"metrics": ["accuracy"]}, "metrics must be a dict by head"),
    ({"metrics": {"keywrd": "accuracy"}}, "metrics for unknown head 'keywrd'; the model has: keyword, gender, phones"),
    ({"metrics": {"phones": "accuracy"}}, "'accuracy' is for class indices, and head 'phones' has sequences"),
    ({"weighted_metrics": ["accuracy"]}, "every metric counts rows by their weights here; give it as metrics"),
])
def test_what_compile_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        make_model(CONFIG["heads"]).compile(**options)


@pytest.mark.usefixtures("without_graphs")
def test_what_fit_refuses():
    model = make_model()
    model.compile()
    inputs, targets, _ = make_arrays()
    with pytest.raises(ValueError, match="class_weight isn't for models whose heads have classes of their own: give"):
        model.fit(inputs, targets, class_weight={0: 1.0, 1: 2.0}, verbose=0)
    with pytest.raises(ValueError, match="targets must be a dict by head, such as {'keyword': ...}; the model has: ke"):
        model.fit(inputs, targets["keyword"], verbose=0)


# -- fit --------------------------------------------------------------------------------------------------------------

def test_fit_on_arrays_with_callbacks_and_validation(tmp_path):
    model = make_model()
    model.compile(keras.optimizers.Adam(0.01))
    inputs, targets, weights = make_arrays()
    stopping = keras.callbacks.EarlyStopping("val_loss", min_delta=100)
    callbacks = [stopping, keras.callbacks.CSVLogger(tmp_path / "log.csv"),
                 keras.callbacks.ModelCheckpoint(tmp_path / "best.weights.h5", "val_keyword_loss", mode="min",
                                                 save_best_only=True, save_weights_only=True)]
    history = model.fit(inputs, targets, sample_weight=weights, batch_size=3, epochs=5, verbose=0, callbacks=callbacks,
                        validation_data=(inputs, targets, weights), validation_batch_size=2).history
    assert stopping.stopped_epoch == 1 and len(history["loss"]) == 2
    values = losses_by_hand(model(inputs), targets, weights)
    assert history["val_loss"][1] == pytest.approx(0.5 * values["keyword"] + 2 * values["gender"], rel=1e-4)
    with open(tmp_path / "log.csv") as file:
        _, row = csv.DictReader(file)
    assert float(row["val_loss"]) == pytest.approx(history["val_loss"][1]) and "gender_accuracy" in row
    again = make_model()
    again.load_weights(tmp_path / "best.weights.h5")
    np.testing.assert_allclose(again(inputs)["keyword"], model(inputs)["keyword"], atol=1e-5)

    one_weight = run(model, np.ones(7, np.float32), batch_size=3)  # of a row, for all its heads
    assert set(one_weight) < set(history)
    split = run(model, weights, validation_split=0.3, batch_size=2)
    assert np.isfinite(split["val_loss"]).all()


def test_fit_on_a_manifest_with_callbacks(tmp_path):
    model = load(make_corpus(tmp_path), weights=None, heads=["keyword"])
    model.compile(keras.optimizers.Adam(0.01))
    training = dataset_from_manifest(model, tmp_path / "tones.jsonl", split="train", seconds_per_batch=3.0)
    dev = dataset_from_manifest(model, tmp_path / "tones.jsonl", training=False, split="dev", seconds_per_batch=1.0)
    history = model.fit(training.repeat(), steps_per_epoch=2, epochs=3, validation_data=dev, verbose=0,
                        callbacks=[keras.callbacks.EarlyStopping("val_loss"), keras.callbacks.CSVLogger(
                            tmp_path / "log.csv")]).history
    outputs = model.predict(dev, verbose=0)["keyword"]
    targets = np.concatenate([targets["keyword"] for _, targets, _ in dev])
    loss = losses_by_hand({"keyword": outputs}, {"keyword": targets}, {"keyword": np.ones(len(targets))})["keyword"]
    assert history["val_loss"][-1] == history["val_keyword_loss"][-1] == pytest.approx(loss, rel=1e-4)
    assert model.evaluate(dev, verbose=0, return_dict=True)["keyword_accuracy"] == pytest.approx(
        (outputs.argmax(axis=1) == targets).mean())
