"""What a decoder may write next."""

import functools
from collections.abc import Sequence

import numpy as np

from speechzoo.decoding.attention.special_tokens import SpecialTokens
from speechzoo.text.byte_pairs import BYTE_CHARACTERS
from speechzoo.text.units import Bytes

LATEST_START_SECONDS = 1.0
"""The first timestamp is at most `LATEST_START_SECONDS`, as in openai-whisper: beginnings are not left out."""
_SIGNS = [*'"#()*+/:;<=>@[\\]^_`{|}~\u300c\u300d\u300e\u300f',
          *"<< >> <<< >>> -- --- -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} \u266a\u266a \u266a\u266a\u266a".split()]
_SPACES = (" ", "\u0120", "\u2581")  # a space alone, in each kind of units
_NOTES = "\u2669\u266a\u266b\u266c\u266d\u266e\u266f"


class TokenRules:
    """Which tokens may follow others: `LogitFilter`s of openai-whisper 20250625, `whisper/decoding.py`.

    Special tokens are never written but for the end, and no text begins with a space alone. Decoders of bytes don't
    write the signs of subtitles either, such as "[MUSIC]". One that has a token for "nobody speaks" doesn't end before
    it has begun. With timestamps a text is a row of segments, each between two of them: the first token is a timestamp,
    timestamps never fall, and a segment lasts.

    Args:
        head_spec: Of a `seq2seq` head.
        tokens: Its special tokens.
        timestamps: Timestamps are written.
    """

    def __init__(self, head_spec: dict, tokens: SpecialTokens, timestamps: bool):
        size = len(head_spec["units"])
        self.timestamps = np.array([*tokens.timestamps] if timestamps else [], int)
        self._number = {int(token): number for number, token in enumerate(self.timestamps)}
        self._end = tokens.end
        self._text = np.ones(size, bool)  # and the end
        self._text[tokens.special] = False
        if head_spec["kind"] == "bytes":
            self._text[list(annotation_tokens(tuple(head_spec["units"])))] = False
        self._text[tokens.end] = True
        self._first = self._text.copy()
        self._first[[token for token, unit in enumerate(head_spec["units"]) if unit in _SPACES]] = False
        self._first[tokens.end] = tokens.no_speech is None
        if len(self.timestamps):
            seconds = np.array([*tokens.timestamps.values()])
            self._first = np.zeros(size, bool)
            self._first[self.timestamps[seconds <= LATEST_START_SECONDS]] = True

    def log_probs(self, logits: np.ndarray, paths: Sequence[Sequence[int]],
                  forbidden: Sequence[set] = ()) -> np.ndarray:
        """Log-probabilities of what may follow, -inf for what may not; rows sum to one over what may.

        Args:
            logits: (paths, tokens).
            paths: The tokens written so far, without the start.
            forbidden: Tokens that may not follow either, per path.

        Returns:
            float64 (paths, tokens), nats.

        Raises:
            ValueError: Logits of another shape, or not finite.
        """
        if np.shape(logits) != (len(paths), len(self._text)):
            raise ValueError(f"the decoder gave logits of shape {np.shape(logits)}; expected "
                             f"{len(paths), len(self._text)}, one row per text and one number per token")
        if not np.isfinite(logits).all():
            raise ValueError("the decoder gave NaN or infinite logits; check its weights and that the audio is finite")
        allowed = np.stack([self._allowed(path) for path in paths])
        for row, tokens in zip(allowed, forbidden):
            row[[*tokens]] = False
        scores = np.where(allowed, logits, -np.inf)
        result = normalised(scores)
        if len(self.timestamps):
            self._prefer_timestamps(result)
        return result

    def _allowed(self, path):
        """bool (tokens,), by the kinds of the last two tokens and the last timestamp."""
        if not path:
            return self._first.copy()
        allowed = self._text.copy()
        if not len(self.timestamps):
            return allowed
        stamps = [token for token in path if token in self._number]
        ends_in_stamp = path[-1] in self._number
        opened = ends_in_stamp and (len(path) < 2 or path[-2] in self._number)
        if not opened:  # behind text one may end it, behind an end the next may begin
            last = self._number[stamps[-1]]
            allowed[self.timestamps[last if ends_in_stamp else last + 1:]] = True
        if ends_in_stamp and not opened:  # no text between two segments
            end = allowed[self._end]
            allowed[self._text] = False
            allowed[self._end] = end
        return allowed

    def _prefer_timestamps(self, log_probs):
        """Where all timestamps together are more probable than any text, one is written."""
        for row in log_probs:
            stamps = row[self.timestamps]
            with np.errstate(divide="ignore"):
                together = np.log(np.exp(stamps).sum())
            if together > row[self._text].max(initial=-np.inf):
                row[self._text] = -np.inf
                row -= together


@functools.lru_cache(maxsize=4)
def annotation_tokens(units: tuple[str, ...]) -> tuple[int, ...]:
    """Tokens that begin what subtitles note and nobody says: "[MUSIC]", "(laughs)", notes, and dashes of speakers.

    Args:
        units: Of a head whose kind is `bytes`.

    Reference: `Tokenizer.non_speech_tokens` of openai-whisper 20250625.
    """
    # Units of other characters are no part of these signs: a table of them all would take 16 MB.
    characters = {BYTE_CHARACTERS[byte] for sign in [" -'", *_SIGNS, *_NOTES] for byte in sign.encode("utf-8")}
    index = {unit: token for token, unit in enumerate(units) if characters.issuperset(unit)}
    splitter = Bytes(list(index))
    found = {splitter.split(" -")[0], splitter.split(" '")[0]}  # not at the beginning of a word; inside they may be
    for sign in [*_SIGNS, *_NOTES]:
        for parts in (splitter.split(sign), splitter.split(f" {sign}")):
            # A sign of several tokens may share them with letters; notes don't, their first two bytes are theirs alone.
            if len(parts) == 1 or sign in _NOTES:
                found.add(parts[0])
    return tuple(sorted(index[unit] for unit in found if unit in index))


def normalised(scores: np.ndarray) -> np.ndarray:
    """Log-softmax over the last axis, float64, where some scores may be -inf."""
    peak = scores.max(axis=-1, keepdims=True)
    shifted = np.asarray(scores - peak, np.float32)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True, dtype=np.float64))


def repeated(path: Sequence[int], length: int) -> set[int]:
    """Tokens that would complete a run of `length` tokens that the path has already.

    Example:
        >>> repeated([5, 6, 7, 1, 5, 6], 3)
        {7}
    """
    path = tuple(path)
    before = path[len(path) - length + 1:]
    if len(before) < length - 1:
        return set()
    return {path[at + length - 1] for at in range(len(path) - length + 1) if path[at:at + length - 1] == before}
