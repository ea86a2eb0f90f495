"""Loss and accuracy of words in sentences against NumPy, and where the words come from."""

import json

import numpy as np
import pytest

from speechzoo.config import ZooConfig, from_dict
from speechzoo.heads import WordsHead
from speechzoo.heads.ctc_loss import IMPOSSIBLE
from speechzoo.training.batches import open_labels
from tests.tiny_models import tiny


def make_logits(frames, padded, classes):
    logits = np.random.default_rng(0).standard_normal((1, frames + padded, classes)).astype(np.float32)
    logits[:, frames:] = IMPOSSIBLE
    logits[:, frames:, 0] = 0
    return logits


def test_a_word_is_the_mean_of_its_frames():
    head, logits = WordsHead(["it", "was", "so"], name="words"), make_logits(10, 3, 4)
    label = [["_unknown_", 0.2], ["was", 0.5], ["strange", 0.7], ["it", 1.0]]
    target = head.encode(label)[None]
    losses, right = [], []
    for word, frames in ((2, slice(2, 5)), (1, slice(7, 10))):
        mean = logits[0, frames].mean(axis=0)
        losses.append(np.log(np.exp(mean).sum()) - mean[word])
        right.append(mean.argmax() == word)
    assert float(head.loss()(target, logits)) == pytest.approx(np.mean(losses), rel=1e-5)
    (accuracy,) = head.metrics_for_fit()
    accuracy.update_state(target, logits)
    assert float(accuracy.result()) == pytest.approx(np.mean(right))
    # A word between the middles of two frames has none of its own.
    short = head.encode([["_unknown_", 0.26], ["was", 0.34], ["it", 1.0]])[None]
    mean = logits[0, 3:10].mean(axis=0)
    assert float(head.loss()(short, logits)) == pytest.approx(np.log(np.exp(mean).sum()) - mean[1], rel=1e-5)


def test_words_come_from_the_training_data(tmp_path):
    labels = [[["_unknown_", 0.2], ["was", 0.5]], [["it", 0.5], ["was", 0.9]], None]
    (tmp_path / "a.jsonl").write_text("".join(
        json.dumps({"audio": f"{number}.wav", "duration": 1.0, **({"words": label} if label else {})}) + "\n"
        for number, label in enumerate(labels)))
    config = from_dict(ZooConfig, tiny(heads={"words": {"type": "words"}}, data={"root": str(tmp_path), "train": [{"manifest": "a.jsonl"}]}))
    assert open_labels(config, config.data.train) == {"words": ["it", "was"]}
    head = WordsHead(name="words")
    assert not head.has_loss
    head.adapt(["it", "was"])
    head.build((None, None, 5))
    assert head.has_loss and head(np.zeros((1, 3, 5), np.float32)).shape == (1, 3, 3)
    assert head.spec()["words"] == ["it", "was"]
    with pytest.raises(ValueError, match="words of head 'words': none of its 2 words"):
        head.encode([["_unknown_", 0.2], ["strange", 0.7]])
    with pytest.raises(ValueError, match="expected .word, end in seconds. pairs, got 'it was'"):
        head.encode("it was")
