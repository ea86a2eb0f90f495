"""A stretch of recognised speech with its times."""

from dataclasses import dataclass


@dataclass
class Word:
    """A word, or a single phone or unit, with its place in the recording.

    Attributes:
        text: The word as it is written.
        start: Beginning, seconds from the start of the recording.
        end: End, seconds.
        confidence: 0 to 1.
    """

    text: str
    start: float
    end: float
    confidence: float
