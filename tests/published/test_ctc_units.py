"""Published vocabularies as the units of a head, the blank first."""

import numpy as np
import pytest

from speechzoo.decoding.ctc.greedy import greedy_decode
from speechzoo.heads import CTCHead
from speechzoo.published.ctc_units import ctc_head

WAV2VEC = ["<pad>", "<s>", "</s>", "<unk>", "|", "E", "T", "'"]
NEMO = ["<unk>", "s", "\u2581", "\u2581the", "e", "blank"]


@pytest.mark.parametrize("vocabulary, blank, delimiter, units", [
    (WAV2VEC, 0, "|", ["<|s|>", "<|/s|>", "<|unk|>", " ", "e", "t", "'"]),
    (NEMO, 5, None, ["<|unk|>", "s", "\u2581", "\u2581the", "e"]),
    (["<blank>", "<unk>", "<space>", "A", "b", "<sos/eos>"], 0, "<space>", ["<|unk|>", " ", "A", "b", "<|sos/eos|>"]),
    (["|", "a", "-"], 2, "|", [" ", "a"]),
    (["|", "x", "a"], 1, "|", [" ", "a"]),
])
def test_a_vocabulary_becomes_units(vocabulary, blank, delimiter, units):
    random = np.random.default_rng(0)
    kernel, bias = random.standard_normal((len(vocabulary), 3)), random.standard_normal(len(vocabulary))
    config, weights = ctc_head(kernel, bias, vocabulary, blank, "x", delimiter)
    assert config == {"type": "ctc", "units": units} and set(weights) == {"transcript/logits/kernel",
                                                                           "transcript/logits/bias"}
    # The head that a config makes of it gives the published outputs, the blank's first and the others in their order.
    head = CTCHead(config["units"], name="transcript")
    head.build((None, None, 3))
    head.logits.set_weights([weights["transcript/logits/kernel"], weights["transcript/logits/bias"]])
    frames = random.standard_normal((1, 4, 3))
    published = frames[0] @ kernel.T + bias
    expected = np.concatenate([published[:, [blank]], np.delete(published, blank, axis=1)], axis=1)
    np.testing.assert_allclose(np.asarray(head(frames))[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("vocabulary, blank, delimiter, path, text", [
    (WAV2VEC, 0, "|", [1, 6, 6, 0, 6, 3, 5, 4, 5, 7, 2], "tte e'"),
    (NEMO, 5, None, [3, 5, 4, 5, 4, 0, 2, 1, 3], "theee s the"),
])
def test_greedy_text(vocabulary, blank, delimiter, path, text):
    identity = np.eye(len(vocabulary))
    config, weights = ctc_head(identity, np.zeros(len(vocabulary)), vocabulary, blank, "x", delimiter)
    spec = {**CTCHead(config["units"], name="transcript").spec(), "frame_seconds": 0.04}
    assert greedy_decode(9 * identity[path] @ weights["transcript/logits/kernel"], spec).text == text


@pytest.mark.parametrize("vocabulary, blank, message", [
    (["a", "b"], 0, "x: 3 outputs, and 2 tokens in the vocabulary; take the one that came with the weights"),
    (["a", "b", "c"], 3, "x: the blank is output 3 of 3"),
    (["a", "a", "c"], 2, "x: its vocabulary has a token twice, or one of no letters"),
    (["a", "", "c"], 2, "x: its vocabulary has a token twice, or one of no letters"),
])
def test_a_vocabulary_that_does_not_fit_is_one_clear_line(vocabulary, blank, message):
    with pytest.raises(ValueError) as error:
        ctc_head(np.zeros((3, 2)), np.zeros(3), vocabulary, blank, "x")
    assert str(error.value).startswith(message) and "\n" not in str(error.value)
