"""Words with times -> subtitles that people can read.

The limits are those that streaming services and broadcasters agree on (Netflix's Timed Text Style Guide for English,
the BBC's Subtitle Guidelines): two lines of 42 characters, 17 characters per second, 5/6 s to 7 s, two frames between
two cues.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from speechzoo.decoding.ctc.word import Word
from speechzoo.decoding.speakers.turn import Turn, words_of_turns

LINE_CHARACTERS = 42
LINES = 2
CHARACTERS_PER_SECOND = 17
SHORTEST, LONGEST = 5 / 6, 7.0
"""`SHORTEST` and `LONGEST` are how long a cue stands, seconds."""
GAP = 2 / 24
"""`GAP` is the time between two cues, seconds."""
PAUSE = 0.8
"""`PAUSE` between two words ends a cue, seconds."""
# A line doesn't end with one of these, which belong to what follows.
_LEADING = frozenset("a an the my your his her its our their this that these those of to in on at by for from with "
                     "and or but nor if as than is are was were be been will would can could shall should may might "
                     "must not no i mister missus doctor".split())
_SENTENCE_END = re.compile(r"[.?!。？！…][\"')\]]*$")


@dataclass(frozen=True)
class Cue:
    """A subtitle.

    Attributes:
        start: When it appears, seconds from the start of the recording.
        end: When it disappears, seconds.
        lines: One or two lines of at most 42 characters.
        speaker: Who speaks; None where nobody knows.
    """

    start: float
    end: float
    lines: tuple[str, ...]
    speaker: str | None = None

    @property
    def text(self) -> str:
        """The lines as one."""
        return " ".join(self.lines)


def make_cues(words: list[Word], turns: Sequence[Turn] = (), named: bool = False) -> list[Cue]:
    """Subtitles of the words.

    A cue ends with a sentence, at a pause, or when it is full; not behind a word that belongs to the next one, such as
    an article. Where somebody speaks faster than people read, cues come later than their words, and catch up in the
    next pause.

    Args:
        words: In order, with times.
        turns: Who speaks when; a cue is of one person.
        named: Whoever speaks stands in the text where somebody else spoke before: "speaker 1: ...".

    Returns:
        Cues, one behind the other.
    """
    cues = []
    for group, speaker in _groups_of_turns(words, list(turns), named):
        text = [word.text for word in group]
        lines = break_lines(text)
        characters = sum(map(len, lines)) + len(lines) - 1
        earliest = cues[-1].end + GAP if cues else 0.0
        start = max(group[0].start, earliest)
        reading = max(characters / CHARACTERS_PER_SECOND, SHORTEST)
        cues.append(Cue(start, start + min(max(group[-1].end - start, reading), LONGEST), lines, speaker))
    return cues


def break_lines(words: list[str]) -> tuple[str, ...]:
    """The words on one line, or on two as even as possible, the first of which doesn't end with an article or the like.

    Args:
        words: Such that they fit on two lines.
    """
    whole = " ".join(words)
    if len(whole) <= LINE_CHARACTERS:
        return (whole,)
    breaks = [(" ".join(words[:number]), " ".join(words[number:])) for number in range(1, len(words))]
    fitting = [lines for lines in breaks if max(map(len, lines)) <= LINE_CHARACTERS]
    return min(fitting, key=lambda lines: (lines[0].rpartition(" ")[2].lower() in _LEADING,
                                           abs(len(lines[0]) - len(lines[1]))))


def is_break(last: Word, word: Word) -> bool:
    """Whether a sentence ends between two words, or somebody pauses."""
    return word.start - last.end >= PAUSE or _SENTENCE_END.search(last.text) is not None


def _groups_of_turns(words, turns, named):
    """The words of each cue, and who says them."""
    for turn, said in words_of_turns(words, turns):
        speaker = turn.speaker if turn else None
        begin = said[0].start
        label = [Word(part, begin, begin, 1.0) for part in f"{speaker}:".split()] if speaker and named else []
        for group in _groups([part for word in (*label, *said) for part in _short_enough(word)]):
            yield group, speaker


def _groups(words):
    """The words of each cue."""
    group = []
    for word in words:
        while group and not _belongs(word, group):
            kept = len(group) if is_break(group[-1], word) else _complete(group)
            yield group[:kept]
            group = group[kept:]
        group.append(word)
    if group:
        yield group


def _belongs(word, group):
    return (not is_break(group[-1], word) and word.end - group[0].start <= LONGEST
            and _fits([*(each.text for each in group), word.text]))


def _complete(group):
    """How many of the words make a cue that doesn't end with an article or the like."""
    kept = len(group)
    while kept > 1 and group[kept - 1].text.lower() in _LEADING:
        kept -= 1
    return kept if group[kept - 1].text.lower() not in _LEADING else len(group)


def _fits(words):
    whole = " ".join(words)
    if len(whole) <= LINE_CHARACTERS:
        return True
    length = 0
    for number, word in enumerate(words):
        length += len(word) + (number > 0)
        if length > LINE_CHARACTERS:
            return len(" ".join(words[number:])) <= LINE_CHARACTERS
    return True


def _short_enough(word):
    """The word, or parts of it that fit on a line each: texts of languages without blanks."""
    if len(word.text) <= LINE_CHARACTERS:
        return [word]
    texts = [word.text[first:first + LINE_CHARACTERS] for first in range(0, len(word.text), LINE_CHARACTERS)]
    seconds = (word.end - word.start) / len(word.text)
    return [Word(text, word.start + LINE_CHARACTERS * number * seconds,
                 word.start + (LINE_CHARACTERS * number + len(text)) * seconds, word.confidence)
            for number, text in enumerate(texts)]
