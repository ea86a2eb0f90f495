"""The rules of tokens against those of openai-whisper, written down as they stand there."""

import numpy as np
import pytest

from speechzoo.decoding.attention.rules import TokenRules, annotation_tokens, normalised, repeated
from speechzoo.decoding.attention.special_tokens import SpecialTokens
from tests.decoding.attention.scripted import whisper_spec

SPEC = whisper_spec()
TOKENS = SpecialTokens.of(SPEC)
# In openai-whisper every token from the end on is special, and timestamps come last: here they do, too.
FIRST_STAMP = SPEC["units"].index("<|0.00|>")
TEXT = 28
END = SPEC["end"]


def openai_rules(logits, seq, last_initial):
    """`ApplyTimestampRules` of openai-whisper 20250625 for one row, over tokens in which all but text, the end and
    timestamps are suppressed."""
    logits = logits.copy()
    logits[[token for token in range(TEXT, FIRST_STAMP) if token != END]] = -np.inf
    last_was = len(seq) >= 1 and seq[-1] >= FIRST_STAMP
    penultimate_was = len(seq) < 2 or seq[-2] >= FIRST_STAMP
    if last_was:
        if penultimate_was:
            logits[FIRST_STAMP:] = -np.inf
        else:
            logits[:TEXT] = -np.inf
    stamps = [token for token in seq if token >= FIRST_STAMP]
    if stamps:
        last = stamps[-1] if last_was and not penultimate_was else stamps[-1] + 1
        logits[FIRST_STAMP:last] = -np.inf
    if not seq:
        logits[:FIRST_STAMP] = -np.inf
        logits[FIRST_STAMP + last_initial + 1:] = -np.inf
    log_probs = logits - np.log(np.exp(logits).sum())
    with np.errstate(divide="ignore"):
        together = np.log(np.exp(log_probs[FIRST_STAMP:]).sum())
    if together > log_probs[:FIRST_STAMP].max():
        logits[:FIRST_STAMP] = -np.inf
    return logits - np.log(np.exp(logits).sum())


@pytest.mark.parametrize("seed", range(30))
def test_the_rules_of_timestamps(seed):
    """Along texts that are drawn under the rules themselves."""
    random = np.random.default_rng(seed)
    rules, path = TokenRules(SPEC, TOKENS, timestamps=True), []
    for _ in range(14):
        logits = 2 * random.standard_normal(len(SPEC["units"]))
        expected = openai_rules(logits, path, last_initial=10)
        (got,) = rules.log_probs(logits[None], [path])
        np.testing.assert_allclose(got, expected, atol=1e-6)
        token = int(random.choice(len(got), p=np.exp(got) / np.exp(got).sum()))
        if token == END:
            break
        path.append(token)


def test_without_timestamps_only_text_and_the_end():
    rules = TokenRules(SPEC, TOKENS, timestamps=False)
    first, later = np.isfinite(rules.log_probs(np.zeros((2, len(SPEC["units"]))), [[], [4]]))
    assert np.flatnonzero(first).tolist() == list(range(1, TEXT))  # neither a space nor the end
    assert np.flatnonzero(later).tolist() == [*range(TEXT), END]
    (row,) = rules.log_probs(np.zeros((1, len(SPEC["units"]))), [[4]], [{5, 6}])
    assert np.flatnonzero(np.isinf(row[:TEXT])).tolist() == [5, 6] and np.exp(row).sum() == pytest.approx(1)


def test_a_decoder_without_a_token_for_silence_may_write_nothing():
    units = [unit for unit in SPEC["units"] if unit != "<|nospeech|>"]
    spec = {**SPEC, "units": units, "start": [units.index("<|startoftranscript|>")],
            "end": units.index("<|endoftext|>")}
    rules = TokenRules(spec, SpecialTokens.of(spec), timestamps=False)
    assert np.isfinite(rules.log_probs(np.zeros((1, len(units))), [[]])[0, spec["end"]])


def test_annotations():
    letters = [chr(code) for code in range(0x21, 0x7F)]
    units = ("\u0120", *letters, "--", "\u0120[", "\u0120-", "\u00e2\u013b", *map(chr, range(0xA1, 0x180)))
    found = {units[token] for token in annotation_tokens(units)}
    assert {"[", "\u0120[", "(", "--", "\u0120-", "\u00e2\u013b", "#"} <= found
    assert not {"a", "-", "'", ",", ".", "?", "!", "%", "$", "\u0120"} & (found - {"\u0120"})


def test_runs_that_are_there_already():
    for seed in range(20):
        random = np.random.default_rng(seed)
        path = random.integers(0, 3, random.integers(0, 12)).tolist()
        runs = {tuple(path[at:at + 3]) for at in range(len(path) - 2)}
        assert repeated(path, 3) == {token for token in range(3) if (*path[-2:], token) in runs and len(path) >= 2}


def test_log_softmax_with_impossible_scores():
    row = normalised(np.array([[1.0, -np.inf, 3.0]]))[0]
    np.testing.assert_allclose(np.exp(row), [1 / (1 + np.exp(2)), 0, 1 / (1 + np.exp(-2))], atol=1e-6)
