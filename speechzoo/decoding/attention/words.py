"""Words and segments, with times, from the tokens of a text."""

from collections.abc import Sequence

import numpy as np

from speechzoo.decoding.attention.alignment import token_starts
from speechzoo.decoding.attention.special_tokens import SpecialTokens
from speechzoo.decoding.ctc.word import Word
from speechzoo.text.units import Units, units_of

UNSPACED_LANGUAGES = frozenset(("ja", "lo", "my", "th", "yue", "zh"))
"""`UNSPACED_LANGUAGES` are written without spaces; every letter counts as a word there."""


def make_words(tokens: Sequence[int], log_probs: Sequence[float], attention: np.ndarray, head_spec: dict,
               special: SpecialTokens, language: str | None = None) -> list[Word]:
    """The words of a text, with times.

    Args:
        tokens: What was written, special tokens and the end among it.
        log_probs: Of each token, nats.
        attention: (tokens, frames) or (tokens, attention heads, frames), where the decoder looked for each.
        head_spec: Spec of the `seq2seq` head.
        special: Its special tokens.
        language: ISO 639 code of the text; None where nobody knows.

    Returns:
        The words. One lasts until the next begins, signs behind it left out, and is between the timestamps around it,
        where there are any; its confidence is the geometric mean of its tokens'.
    """
    units = units_of(head_spec)
    no_text = set(special.special.tolist())
    texts = [position for position, token in enumerate(tokens) if token not in no_text]
    if not texts:
        return []
    attention = np.asarray(attention).reshape(len(tokens), -1, np.shape(attention)[-1])
    # What follows the last word, the end or a timestamp, says when it is over.
    rows = [*texts, texts[-1] + 1][:len(tokens)]
    starts = token_starts(attention[rows], head_spec["frame_seconds"])
    ends = np.append(starts[1:], attention.shape[-1] * head_spec["frame_seconds"])
    bounds = _bounds(tokens, special)
    words, names = [], [units.names[tokens[position]] for position in texts]
    for group in word_groups(names, units, language not in UNSPACED_LANGUAGES):
        text = units.join([names[number] for number in group]).strip()
        if not text:
            continue
        spoken = [number for number in group if has_letters(units.written(names[number]))] or group
        start, end = np.clip([starts[group[0]], ends[spoken[-1]]], *bounds[texts[group[0]]])
        confidence = np.exp(np.mean([log_probs[texts[number]] for number in group]))
        words.append(Word(text, round(float(start), 3), round(float(end), 3), float(confidence)))
    return words


def word_groups(names: Sequence[str], units: Units, spaced: bool = True) -> list[list[int]]:
    """Which of a text's units make up each word.

    Args:
        names: The units of the text.
        units: The head's.
        spaced: Words are separated by spaces; every letter is a word otherwise.

    Returns:
        Indices of `names` for each word.

    Example:
        >>> from speechzoo.text.units import Pieces
        >>> names = ["\\u2581a", "b", "\\u2581", "c"]
        >>> word_groups(names, Pieces(names))
        [[0, 1], [2, 3]]
    """
    groups, complete = [], True
    for number, name in enumerate(names):
        begins = units.starts_word(name) if spaced else complete
        if begins or not groups:
            groups.append([])
        groups[-1].append(number)
        complete = "\ufffd" not in units.join([names[each] for each in groups[-1]])
    return groups


def make_segments(tokens: Sequence[int], log_probs: Sequence[float], special: SpecialTokens,
                  units: Units) -> list[Word]:
    """What stands between timestamps, with their times; a last segment without an end has that of its beginning.

    Args:
        tokens: What was written, with timestamps.
        log_probs: Of each token, nats.
        special: The head's special tokens.
        units: The head's units.
    """
    segments, start, inside = [], 0.0, []
    for position, token in enumerate(tokens):
        if token not in special.timestamps:
            inside.append(position)
            continue
        segments += _segment(inside, start, special.timestamps[token], tokens, log_probs, units)
        start, inside = special.timestamps[token], []
    return segments + _segment(inside, start, start, tokens, log_probs, units)


def _segment(inside, start, end, tokens, log_probs, units):
    """A segment, or none where no text is inside."""
    text = units.join([units.names[tokens[position]] for position in inside]).strip()
    sure = np.exp(np.mean([log_probs[position] for position in inside])) if text else 0.0
    return [Word(text, start, end, float(sure))] if text else []


def _bounds(tokens, special):
    """(start, end) of the timestamps around each token, seconds; from 0 and without an end where there are none."""
    seconds = np.array([special.timestamps.get(token, np.nan) for token in tokens])
    starts = np.fmax.accumulate(np.append(0.0, seconds))[1:]  # they never fall
    ends = np.fmin.accumulate(np.append(np.inf, seconds[::-1]))[:0:-1]
    return np.stack([starts, ends], axis=1)


def has_letters(text):
    """Whether a text has anything that is said: letters, figures, or parts of letters of several bytes."""
    return any(character.isalnum() or character == "\ufffd" for character in text)
