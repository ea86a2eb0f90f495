"""Units, and byte-pair encoding against Sennrich et al. (2016), their code and their example."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo.heads import CTCHead
from speechzoo.text.units import WORD_START, kind_of, split_pieces, units_of

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


def learn(corpus, merges):
    """Single characters, then what was merged; and the training words in these pieces, separated by spaces."""
    counts = Counter(word for text in corpus for word in text.split())
    learnt, vocabulary = sennrich(counts, merges)
    return sorted({WORD_START, *(letter for word in counts for letter in word)}) + learnt, vocabulary


def test_the_paper_s_vocabulary():
    # In the paper, which marks words at their end, "es" (9) and "est" (9) come first too.
    pieces, _ = learn(["low " * 5 + "lower " * 2 + "newest " * 6 + "widest " * 3], 4)
    # Then "lo" and "low" (7): the mark and "l" stand together as often, and ties are broken by spelling.
    assert pieces[-4:] == ["es", "est", "lo", "low"]
    assert split_pieces("lowest", pieces) == [WORD_START, "low", "est"]


@settings(max_examples=40, deadline=None)
@given(corpus=st.lists(texts, min_size=1, max_size=4), merges=st.integers(0, 25))
def test_a_training_word_splits_as_learning_left_it(corpus, merges):
    pieces, vocabulary = learn(corpus, merges)
    for spaced in vocabulary:
        assert split_pieces("".join(spaced.split())[1:], pieces) == spaced.split()


@settings(max_examples=60, deadline=None)
@given(corpus=st.lists(texts, min_size=1, max_size=4), text=texts, merges=st.integers(0, 30))
def test_split_and_join_is_the_text(corpus, text, merges):
    units = split_pieces(text, learn(corpus, merges)[0])
    assert "".join(units).replace(WORD_START, " ").strip() == text
    assert all(unit.startswith(WORD_START) or WORD_START not in unit for unit in units)


@settings(max_examples=30, deadline=None)
@given(corpus=st.lists(texts, min_size=1, max_size=4))
def test_a_head_encodes_what_its_pieces_came_from(corpus):
    head = CTCHead(learn(corpus, 20)[0], name="transcript")
    for text in corpus:
        assert [head.units[index - 1] for index in head.encode(text)] == head.split(text)


@pytest.mark.parametrize("text", ["", "   "])
def test_nothing_splits_into_nothing(text):
    assert split_pieces(text, ["a"]) == []


@pytest.mark.parametrize("kind, names, text, units, written", [
    ("characters", list(" ab"), "ab a", ["a", "b", " ", "a"], "ab a"),
    ("phones", ["B", "R"], "B  R", ["B", "R"], " B R"),
    ("pieces", ["\u2581", "a", "b", "ab", "\u2581ab"], "ab ba", ["\u2581ab", "\u2581", "b", "a"], " ab ba"),
])
def test_units_split_and_write(kind, names, text, units, written):
    vocabulary = units_of({"kind": kind, "units": names})
    assert vocabulary.split(text) == units and "".join(map(vocabulary.written, units)) == written
    assert [vocabulary.names[vocabulary.index[unit] - 1] for unit in units] == units
    # Words are what stands between the units that begin one.
    words = []
    for unit in units:
        if vocabulary.starts_word(unit) or not words:
            words.append("")
        words[-1] += vocabulary.text(unit)
    assert words == written.split()


@pytest.mark.parametrize("kind, units", [("characters", ["a", "<|unk|>", " ", "b"]),
                                         ("pieces", ["\u2581a", "<|unk|>", "\u2581", "b"])])
def test_special_units_write_nothing(kind, units):
    vocabulary = units_of({"kind": kind_of(units), "units": units})
    assert kind_of(units) == kind and vocabulary.join(units).strip() == "a b"
    special = units[1]
    assert (vocabulary.written(special), vocabulary.text(special), vocabulary.starts_word(special)) == ("", "", False)


def test_an_unknown_kind_of_units_is_one_clear_line():
    with pytest.raises(ValueError, match="^unknown kind of units 'syllables'; this version knows .*, pieces, bytes$"):
        units_of({"kind": "syllables", "units": []})
