"""What a finished run's heads know of how sure they may be."""

import json

import keras
import numpy as np
import pytest

from speechzoo.config import ZooConfig, from_dict
from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.recognition import Recognition
from speechzoo.registry import load
from speechzoo.training.calibration import calibrate
from speechzoo.training.trainer import train
from speechzoo.weights import load_weights, save_weights
from tests.helpers import tone, write_wav
from tests.tiny_models import build, tiny

CONFIG = tiny("tiny", {"type": "log_mel", "hop_seconds": 0.03, "window_seconds": 0.03},
              {"type": "ds_cnn", "num_blocks": 1},
              {"transcript": {"type": "ctc"}, "keyword": {"classes": ["low", "high"]}})


def test_the_mean_over_what_is_labelled_and_no_padding():
    model = build(CONFIG, spread=False)
    model.heads["transcript"].logits.bias.assign(np.linspace(2, -2, 29))
    audio = [tone(0.7, 300, seed=1), tone(0.4, 500, seed=2), tone(0.7, 700, seed=3)]
    padded = np.stack([np.pad(sound, (0, 11200 - len(sound))) for sound in audio])
    inputs = {"audio": padded, "audio_length": np.array([len(sound) for sound in audio], np.int32)}
    weights = {"transcript": np.array([1, 1, 0], np.float32), "keyword": np.ones(3, np.float32)}
    assert "log_prior" not in model.spec["heads"]["transcript"]
    targets = dict.fromkeys(weights, np.zeros((3, 1), np.int32))
    assert calibrate(model, [(inputs, targets, weights)]) == ["transcript"]  # three are too few for a temperature
    outputs = [model.batch_outputs([sound])[0] for sound in audio[:2]]
    alone = [keras.ops.convert_to_numpy(keras.ops.softmax(each["transcript"])) for each in outputs]
    expected = np.log(np.concatenate(alone).mean(axis=0))
    np.testing.assert_allclose(model.heads["transcript"].log_prior.numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(model.spec["heads"]["transcript"]["log_prior"], expected, atol=1e-4)
    assert calibrate(model, [(inputs, targets, {"keyword": weights["keyword"]})]) == []


def test_a_classifier_is_as_sure_as_it_is_right(tmp_path):
    """Logits of a classifier, twice too sure and right as often as half of them say."""
    model = build(CONFIG, spread=False)
    model.heads["keyword"].logits.kernel.assign(30 * model.heads["keyword"].logits.kernel)
    audio = np.stack([tone(0.4, 200.0 + 40 * number, seed=number) for number in range(120)])
    inputs = {"audio": audio, "audio_length": np.full(len(audio), audio.shape[1], np.int32)}
    before = model.predict_on_batch(inputs)["keyword"].astype(np.float64)
    chance = 1 / (1 + np.exp((before[:, 0] - before[:, 1]) / 2))
    targets = (np.random.default_rng(1).random(120) < chance).astype(np.int32)
    batch = inputs, {"keyword": targets}, {"keyword": np.ones(120, np.float32)}
    assert calibrate(model, [batch], frozen={"keyword/logits/bias"}) == []
    assert calibrate(model, [batch]) == ["keyword"]
    after = model.predict_on_batch(inputs)["keyword"]
    tried = np.exp(np.linspace(-1, 2, 3001))
    best = tried[np.argmin([cross_entropy(before / temperature, targets) for temperature in tried])]
    np.testing.assert_allclose(after, before / best, rtol=2e-3, atol=1e-3)
    assert 1.3 < best < 3
    # Hardly sure, it is right of hardly more than half of them: these stay unanswered, here and from a file.
    sure = np.exp(after - np.logaddexp.reduce(after, axis=1, keepdims=True)).max(axis=1)
    threshold = model.spec["heads"]["keyword"]["threshold"]
    assert 0.5 < threshold < 0.9
    assert sure[sure >= threshold].mean() > 2 / 3 > sure[sure < threshold].mean()
    answers = [model.recognize(sound) for sound in audio[:40]]
    weak = [name in model.spec["heads"]["keyword"].get("weak", ()) for name in np.array(["low", "high"])[after[:40].argmax(axis=1)]]
    assert [answer.keyword is None for answer in answers] == ((sure[:40] < threshold) | weak).tolist()
    unsure = next(answer for answer in answers if answer.keyword is None)
    assert unsure.unanswered == ["keyword"] and "keyword" not in unsure.confidence
    assert str(unsure).splitlines()[-1].split() == ["keyword", "-"]
    assert Recognition.from_dict(unsure.to_dict()).unanswered == ["keyword"]
    save_weights(model, tmp_path / "weights.h5")
    loaded = build(CONFIG, spread=False)
    load_weights(loaded, tmp_path / "weights.h5")
    assert loaded.spec == model.spec


def test_a_class_for_nothing_needs_no_threshold():
    heads = {"keyword": {"type": "classifier", "classes": ["low", "high", "_unknown_"]}}
    model = build({**CONFIG, "heads": heads}, spread=False)
    assert model.heads["keyword"].threshold is None and "threshold" not in model.spec["heads"]["keyword"]


def test_a_class_that_is_hardly_ever_right_is_not_answered(tmp_path):
    classes = ["low", "middle", "high", "_unknown_"]
    model = build({**CONFIG, "heads": {"keyword": {"type": "classifier", "classes": classes}}}, spread=False)
    head = model.heads["keyword"]
    targets = np.repeat(np.arange(4), 20)
    logits = 4.0 * np.eye(4)[np.where(np.arange(80) % 20 < 9, targets, (targets + 1) % 4)]  # 9 of 20 are right
    logits[:20] = 4.0 * np.eye(4)[0]
    head.wake_doubts.assign([0.1, 0.0, -1.0, 0.0])
    assert model.spec["heads"]["keyword"]["wake_thresholds"] == {"low": 0.9, "high": None}
    assert head.calibrate([(logits, targets)])
    spec = model.spec["heads"]["keyword"]
    assert spec["weak"] == ["middle", "high"]  # and no word for "_unknown_" could be weak
    assert "wake_thresholds" not in spec  # they were those of other logits
    head.wake_doubts.assign([1e-4, 0.0, -1.0, 0.0])
    save_weights(model, tmp_path / "weights.h5", dtype="float16")
    loaded = build(model.zoo_config.to_dict(), spread=False)
    load_weights(loaded, tmp_path / "weights.h5")
    spec = loaded.spec["heads"]["keyword"]
    assert spec["weak"] == ["middle", "high"] and spec["wake_thresholds"] == {"low": 0.9999, "high": None}
    found = Recognition()
    for answer, expected in (("high", None), ("low", "low")):
        answer_kind(spec).read(found, "keyword", 9.0 * np.eye(4)[classes.index(answer)], spec)
        assert found.keyword == expected and found.unanswered == ([] if expected else ["keyword"])
        found = Recognition()
    assert answer_kind(spec).describe(spec) == "4 values, middle, high too weak to answer"


def cross_entropy(logits, targets):
    """Of targets with probability (n + 1) / (n + 2)."""
    smooth = np.where(np.eye(2)[targets] > 0, 1 - 1 / (len(targets) + 2), 1 / (len(targets) + 2))
    return -(smooth * (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))).sum(axis=1).mean()


@pytest.mark.usefixtures("without_graphs")
def test_a_finished_run_knows_its_priors(tmp_path):
    lines = []
    for number in range(4):
        write_wav(tmp_path / f"{number}.wav", tone(0.5, 200.0 + 150 * number, seed=number))
        lines.append(json.dumps({"audio": f"{number}.wav", "duration": 0.5, "transcript": "ab"}) + "\n")
    (tmp_path / "manifest.jsonl").write_text("".join(lines))
    source = {"manifest": "manifest.jsonl"}
    config = from_dict(ZooConfig, {
        **CONFIG, "training": {"epochs": 1, "warmup_steps": 1},
        "data": {"root": str(tmp_path), "train": [source], "dev": [source], "seconds_per_batch": 2.0,
                 "bucket_seconds": [0.6]}})
    train(config, tmp_path / "run", heads=["transcript"])
    prior = load(tmp_path / "run").spec["heads"]["transcript"]["log_prior"]
    assert len(prior) == 29 and max(prior) < 0
