"""Byte-pair encoding against Sennrich et al. (2016), their code and their example."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo.heads import CTCHead
from speechzoo.text.units import WORD_START, learn_pieces, split_pieces

words = st.text("abc'", min_size=1, max_size=8)
texts = st.lists(words, min_size=1, max_size=6).map(" ".join)


def sennrich(counts, merges):
    """Algorithm 1 of the paper (regular expressions over spaced symbols), with our word mark and order of ties."""
    vocabulary = {" ".join([WORD_START, *word]): count for word, count in counts.items()}
    learnt = []
    for _ in range(merges):
        pairs = Counter()
        for word, count in vocabulary.items():
            symbols = word.split()
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        bigram = re.compile(r"(?<!\S)" + re.escape(" ".join(best)) + r"(?!\S)")
        vocabulary = {bigram.sub("".join(best), word): count for word, count in vocabulary.items()}
        learnt.append("".join(best))
    return learnt, vocabulary


def test_the_paper_s_vocabulary():
    # In the paper, which marks words at their end, "es" (9) and "est" (9) come first too.
    text = "low " * 5 + "lower " * 2 + "newest " * 6 + "widest " * 3
    letters = sorted(set(text.replace(" ", "")) | {WORD_START})
    pieces = learn_pieces([text], len(letters) + 4)
    assert pieces[:len(letters)] == letters
    # Then "lo" and "low" (7): the mark and "l" stand together as often, and ties are broken by spelling.
    assert pieces[len(letters):] == ["es", "est", "lo", "low"]
    assert split_pieces("lowest", pieces[:len(letters)] + ["es", "est", "lo", "low"]) == [WORD_START, "low", "est"]


@settings(max_examples=40, deadline=None)
@given(corpus=st.lists(texts, min_size=1, max_size=4), merges=st.integers(0, 25))
def test_learning_equals_the_reference(corpus, merges):
    counts = Counter(word for text in corpus for word in text.split())
    letters = sorted({WORD_START, *(letter for word in counts for letter in word)})
    learnt, vocabulary = sennrich(counts, merges)
    pieces = learn_pieces(corpus, len(letters) + merges)
    assert pieces == letters + learnt
    for spaced in vocabulary:  # splitting a training word gives the symbols that learning ended with
        assert split_pieces("".join(spaced.split())[1:], pieces) == spaced.split()


@settings(max_examples=60, deadline=None)
@given(corpus=st.lists(texts, min_size=1, max_size=4), text=texts, size=st.integers(1, 40))
def test_split_and_join_is_the_text(corpus, text, size):
    units = split_pieces(text, learn_pieces(corpus, size))
    assert "".join(units).replace(WORD_START, " ").strip() == text
    assert all(unit.startswith(WORD_START) or WORD_START not in unit for unit in units)


@settings(max_examples=30, deadline=None)
@given(corpus=st.lists(texts, min_size=1, max_size=4))
def test_a_head_encodes_what_it_learnt_from(corpus):
    head = CTCHead(learn_pieces(corpus, 30), name="transcript")
    for text in corpus:
        assert [head.units[index - 1] for index in head.encode(text)] == head.split(text)


def test_size_counts_the_single_characters():
    assert learn_pieces(["ab ab"], 3) == ["a", "b", WORD_START]
    assert len(learn_pieces(["ab ab"], 4)) == 4
    assert len(learn_pieces(["ab ab"], 100)) == 5  # nothing is left to merge
    assert learn_pieces([""], 10) == []


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_splits_into_nothing(text):
    assert split_pieces(text, ["a"]) == []
