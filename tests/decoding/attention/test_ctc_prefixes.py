"""Scores of a CTC head for prefixes against the sum over all its paths; and a search that uses them."""

import itertools

import numpy as np
import pytest

from speechzoo.decoding.attention.ctc_prefixes import LOWEST, CTCPrefixes, columns_of
from speechzoo.decoding.attention.decoder import AttentionDecoder
from speechzoo.decoding.attention.search import AttentionSearch
from tests.decoding.attention.scripted import LETTERS, Reader, ToyLanguageModel, letters_spec, written_memory

FRAMES, OUTPUTS = 5, 3
# Tokens of the decoder: end, output 2, nothing, output 1.
COLUMNS, END = np.array([-1, 2, -1, 1]), 0
LOGITS = np.random.default_rng(0).standard_normal((FRAMES, OUTPUTS)) * 2


def text_probabilities(logits):
    """Text, a tuple of outputs -> its probability: the sum over all paths of frames."""
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = {}
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        text = tuple(unit for unit, _ in itertools.groupby(path) if unit)
        found[text] = found.get(text, 0.0) + np.prod(probs[np.arange(len(logits)), path])
    return found


@pytest.mark.parametrize("text", [(), (1,), (3,), (1, 1), (3, 1), (3, 1, 3), (1, 1, 3), (3, 3, 3)])
def test_scores_are_sums_over_all_paths(text):
    texts = text_probabilities(LOGITS)

    def begins(tokens):
        outputs = tuple(COLUMNS[list(tokens)])
        return sum(value for other, value in texts.items() if other[:len(outputs)] == outputs)

    scores = CTCPrefixes(LOGITS, COLUMNS, END, 0.5)
    state = scores.begin()
    for token in text:
        state = scores.extended(state, [0], [token])
    found = scores.log_probs(state)[0]
    expected = [np.log(texts[tuple(COLUMNS[list(text)])] / begins(text))]
    for token in (1, 3):
        expected.append(np.log(begins((*text, token)) / begins(text)) if begins((*text, token)) else LOWEST)
    np.testing.assert_allclose(found[[END, 1, 3]], expected, rtol=1e-5)
    assert found[2] == -np.inf
    np.testing.assert_allclose(np.exp(found).sum(), 1.0, rtol=1e-5)  # what is said goes on, or is over


def test_rows_are_texts_of_their_own():
    scores = CTCPrefixes(LOGITS, COLUMNS, END, 0.25)
    two = scores.extended(scores.begin(), [0, 0], [1, 3])
    three = scores.extended(two, [1, 0, 1], [3, 1, 1])
    for row, text in enumerate([(3, 3), (1, 1), (3, 1)]):
        alone = scores.begin()
        for token in text:
            alone = scores.extended(alone, [0], [token])
        np.testing.assert_allclose(scores.log_probs(three)[row], scores.log_probs(alone)[0], rtol=1e-5)
    of_decoder = np.log(np.full((3, 4), 0.25))
    np.testing.assert_allclose(scores.joined(of_decoder, three), 0.75 * of_decoder + 0.25 * scores.log_probs(three),
                               rtol=1e-5)


def test_a_text_longer_than_the_recording_has_a_score():
    scores = CTCPrefixes(LOGITS, COLUMNS, END, 0.5)
    state = scores.begin()
    for token in (1, 1, 1, 1, 3):
        state = scores.extended(state, [0], [token])
    assert (scores.log_probs(state)[0, [END, 1, 3]] == LOWEST).all()


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_a_search_that_keeps_every_text_finds_the_best_sum(weight):
    spec = letters_spec(units=["<|startoftranscript|>", "<|endoftext|>", "a", "b"], maximum_tokens=5)
    columns, step = np.array([-1, -1, 1, 2]), ToyLanguageModel(4, 1, seed=3)
    scores, ended = CTCPrefixes(LOGITS, columns, 1, weight), []

    def go_on(text, state, total):
        logits = step.logits([0, *text])[1:]
        of_next = (1 - weight) * (logits - np.log(np.exp(logits).sum()))
        of_next += weight * scores.log_probs(state)[0, 1:] if weight else 0.0
        ended.append(((total + of_next[0]) / (len(text) + 1), text))
        for token in (2, 3) if len(text) < 3 else ():
            go_on((*text, token), scores.extended(state, [0], [token]), total + of_next[token - 1])

    go_on((), scores.begin(), 0.0)
    found = AttentionSearch(16, ctc_weight=weight)(np.ones((FRAMES, 1), np.float32), spec, step, (LOGITS, columns))
    assert len(ended) == 15 and tuple(found.units) == max(ended)[1]
    assert found.score == pytest.approx(max(ended)[0], rel=1e-5)


def test_ctc_ends_what_a_decoder_says_twice():
    """A decoder that goes on from the beginning, and a CTC head of the same letters that read each once."""
    spec, said = letters_spec(), "go on"
    memory = written_memory(said + said, spec)
    logits = np.zeros((len(memory), len(LETTERS) + 1))
    logits[np.arange(len(said)), [LETTERS.index(letter) + 1 for letter in said]] = 20.0
    logits[len(said):, 0] = 20.0
    model = {"heads": {"transcript": spec, "letters": {"type": "ctc", "label": "transcript", "kind": "characters",
                                                       "units": LETTERS, "frame_seconds": 0.1}}}
    outputs = {"transcript": memory, "letters": logits}

    def text(outputs, weight):
        steps, search = {"transcript": Reader(spec, sure=6.0)}, AttentionSearch(ctc_weight=weight)
        return AttentionDecoder(model, "transcript", "transcript", search, steps)(outputs).text

    assert text(outputs, 0.3) == said
    assert text(outputs, 0.0) == text({"transcript": memory}, 0.3) == said + said


def test_only_the_same_units_are_shared():
    assert columns_of(letters_spec(), {"kind": "characters", "units": LETTERS[:-1]}) is None
    columns = columns_of(letters_spec(), {"kind": "characters", "units": LETTERS[::-1]})
    assert columns[:2].tolist() == [-1, -1] and columns[2:].tolist() == list(range(len(LETTERS), 0, -1))
    with pytest.raises(ValueError, match="ctc_weight is 0 or more and below 1, got 1"):
        AttentionSearch(ctc_weight=1.0)
