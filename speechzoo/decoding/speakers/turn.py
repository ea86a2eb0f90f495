"""Stretches of a recording in which one person speaks."""

from collections.abc import Iterable
from dataclasses import dataclass

from speechzoo.decoding.ctc.word import Word


@dataclass(frozen=True)
class Turn:
    """What one person says before another does.

    Attributes:
        start: Beginning, seconds from the start of the recording.
        end: End, seconds.
        speaker: Who: "speaker 1", "speaker 2", ... in the order in which they begin, or the name of an enrolled voice.
    """

    start: float
    end: float
    speaker: str


def words_of_turns(words: Iterable[Word], turns: list[Turn]) -> list[tuple[Turn | None, list[Word]]]:
    """The words by who says them: each belongs to the turn that its middle is in, or is nearest to.

    Args:
        words: In order, with times.
        turns: In order.

    Returns:
        Runs of words of one turn each, in order; without turns all words, of nobody.
    """
    runs = []
    for word in words:
        middle = (word.start + word.end) / 2
        turn = min(turns, key=lambda turn: max(turn.start - middle, middle - turn.end, 0.0), default=None)
        if not runs or runs[-1][0] != turn:
            runs.append((turn, []))
        runs[-1][1].append(word)
    return runs
