"""Subtitles keep the limits that people need to read them, whatever was said and how fast."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from speechzoo.decoding.ctc.word import Word
from speechzoo.decoding.speakers.turn import Turn
from speechzoo.transcripts.cues import break_lines, make_cues


def said(text, seconds_per_word=0.4, start=0.0):
    return [Word(word, start + place * seconds_per_word, start + (place + 0.9) * seconds_per_word, 0.9)
            for place, word in enumerate(text.split())]


def check(cues, words):
    """What a validator of subtitles checks; written from the style guides, not from the code."""
    assert "".join("".join(cue.lines) for cue in cues).replace(" ", "") == "".join(word.text for word in words).replace(" ", "")
    for cue in cues:
        assert 1 <= len(cue.lines) <= 2 and all(0 < len(line) <= 42 for line in cue.lines)
        seconds = cue.end - cue.start
        assert 0.833 <= seconds <= 7.0 + 1e-9
        assert (sum(len(line) for line in cue.lines) + len(cue.lines) - 1) / seconds <= 17 + 1e-9
    for before, after in zip(cues, cues[1:]):
        assert after.start - before.end >= 2 / 24 - 1e-9


WORDS = st.lists(st.tuples(st.text("abcde'.", min_size=1, max_size=60), st.floats(0.01, 9.0), st.floats(0.0, 3.0)), max_size=40)


@settings(deadline=None, max_examples=300)
@given(WORDS)
def test_limits_are_kept(timed):
    words, now = [], 0.0
    for text, seconds, pause in timed:
        words.append(Word(text, now + pause, now + pause + seconds, 0.5))
        now += pause + seconds
    check(make_cues(words), words)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(["the", "a", "of", "to", "i", "house", "extraordinary"]), max_size=60), st.floats(0.05, 1.0))
def test_limits_are_kept_where_most_words_lead_to_the_next(texts, seconds):
    words = said(" ".join(texts), seconds)
    check(make_cues(words), words)


def test_cues_end_with_sentences_at_pauses_and_not_behind_articles():
    words = said("It rains. Take the umbrella with you and close the") + said("door behind you please", start=4.0)
    assert [cue.lines for cue in make_cues(words)] == [
        ("It rains.",), ("Take the umbrella with you", "and close the door behind you please")]
    assert [cue.text for cue in make_cues(said("stop") + said("go on", start=2.0))] == ["stop", "go on"]
    full = make_cues(said("reporter " * 8 + "the building", 0.2))
    assert [cue.text for cue in full] == [("reporter " * 8).strip(), "the building"]  # "the" would have fitted


def test_fast_speech_is_shown_late_and_catches_up():
    words = said("extraordinarily " * 20, 0.3) + said("calm", start=30.0)
    cues = make_cues(words)
    check(cues, words)
    late = [cue.start - next(word.start for word in words if word.start > 0.3 * 5 * number - 1e-9) for number, cue in enumerate(cues[:4])]
    assert late == sorted(late) and late[-1] > 1
    assert cues[-1].start == 30.0


@pytest.mark.parametrize("text, lines", [
    ("as short as this", ("as short as this",)),
    ("we walked along the river until it was dark and cold", ("we walked along the river", "until it was dark and cold")),
    ("we stood there for an hour and looked at the old lighthouse",
     ("we stood there for an hour", "and looked at the old lighthouse")),
])
def test_lines_are_even_and_keep_articles_with_their_nouns(text, lines):
    assert break_lines(text.split()) == lines


def test_nothing_said_is_no_cue():
    assert make_cues([]) == []
    (cue,) = make_cues([Word("so", 1.0, 1.1, 0.5)])
    assert (cue.start, cue.text) == (1.0, "so") and cue.end == pytest.approx(1 + 5 / 6)
    (cue,) = make_cues([Word("soooo", 1.0, 30.0, 0.5)])
    assert cue.end == pytest.approx(8.0)
    assert np.isfinite(cue.end)


def test_cues_are_of_one_person_and_name_whoever_begins():
    turns = [Turn(0.0, 0.9, "anna"), Turn(0.9, 9.0, "bert")]
    words = said("no go on and on and on")
    assert [(cue.text, cue.speaker) for cue in make_cues(words, turns)] == [("no go", "anna"), ("on and on and on", "bert")]
    assert [cue.text for cue in make_cues(words, turns, named=True)] == ["anna: no go", "bert: on and on and on"]


@settings(deadline=None, max_examples=100)
@given(WORDS, st.lists(st.floats(0.1, 20.0), min_size=1, max_size=8))
def test_limits_are_kept_with_names(timed, lengths):
    words, now = [], 0.0
    for text, seconds, pause in timed:
        words.append(Word(text, now + pause, now + pause + seconds, 0.5))
        now += pause + seconds
    edges = np.cumsum([0.0, *lengths])
    turns = [Turn(start, end, f"speaker {number % 3}") for number, (start, end) in enumerate(zip(edges, edges[1:]))]
    cues = make_cues(words, turns, named=True)
    spoken = "".join("".join(cue.lines) for cue in cues).replace(" ", "")
    for number in range(3):
        spoken = spoken.replace(f"speaker{number}:", "")
    check(make_cues(words, turns), words)
    assert spoken == "".join(word.text for word in words).replace(" ", "")
    assert all(len(line) <= 42 for cue in cues for line in cue.lines)
