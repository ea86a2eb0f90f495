"""Labels as they are read: transcripts as they are spoken, and whether somebody speaks, from forced alignments."""

from speechzoo.config import SourceConfig
from speechzoo.text.normalize import normalize_transcript
from speechzoo.text.units import SILENCE_PHONE

SPEECH, NONE = "speech", "none"
TRANSCRIPT = "transcript"
LONGEST_PAUSE = 0.2
"""Silence within speech of up to `LONGEST_PAUSE` seconds counts as speech: the closure of a plosive or a breath between
two words is shorter, and a detector of speech must not stop there."""


def label_of(source: SourceConfig, utterance: dict, label: str):
    """What a source says of an utterance, or None: `SourceConfig.label_of`, and `speech` also from the `alignment`.

    A transcript comes as it is spoken, however it is written: whoever trains, measures or prepares reads the same.

    An alignment counts as the label `speech` of an utterance that has none, before the default and whether or not the
    source uses its alignments.
    """
    if label == SPEECH and SPEECH not in utterance and "alignment" in utterance:
        utterance = {**utterance, SPEECH: speech_of_alignment(utterance["alignment"])}
    value = source.label_of(utterance, label)
    if label == TRANSCRIPT and isinstance(value, str):
        return normalize_transcript(value, utterance.get("language", "en"))
    return value


def speech_of_alignment(alignment: list) -> list[list]:
    """[phone or SIL, end in seconds] pairs -> [speech or none, end in seconds] pairs, neighbours never the same.

    Example:
        >>> speech_of_alignment([["SIL", 0.3], ["AH", 0.4], ["SIL", 0.5], ["P", 0.6], ["SIL", 1.0]])
        [['none', 0.3], ['speech', 0.6], ['none', 1.0]]
    """
    merged = _merge([NONE if phone == SILENCE_PHONE else SPEECH, end] for phone, end in alignment)
    starts = [0.0, *(end for _, end in merged)]
    # The first and the last have speech on one side only: they are no pauses.
    within = range(1, len(merged) - 1)
    return _merge([SPEECH if number in within and round(end - start, 3) < LONGEST_PAUSE else name, end]
                  for number, (start, (name, end)) in enumerate(zip(starts, merged)))


def _merge(pairs):
    merged = []
    for name, end in pairs:
        if merged and merged[-1][0] == name:
            merged.pop()
        merged.append([name, end])
    return merged
