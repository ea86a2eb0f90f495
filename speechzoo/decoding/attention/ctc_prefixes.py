"""What a CTC head thinks of the texts that an attention decoder writes: how probable each continuation is."""

from dataclasses import dataclass

import numpy as np

from speechzoo.text.units import BLANK_INDEX, is_special, units_of

LOWEST = -1e3
"""A continuation has a log-probability of `LOWEST` at least, nats: a text that is longer than the recording can be
compared with others, too."""


@dataclass
class Prefixes:
    """Texts under way, the logarithm of their probability by how the frames so far are read.

    Attributes:
        unit_last: (texts, frames): all of a text is read at a frame, which is one of its last unit.
        blank_last: The same where the frame is blank.
        total: (texts,): that what is said begins so.
        last: (texts,): output of the last unit; that of the blank for the empty text.
    """

    unit_last: np.ndarray
    blank_last: np.ndarray
    total: np.ndarray
    last: np.ndarray


class CTCPrefixes:
    """The scores of a CTC head for one utterance, for a search that writes the same units from left to right.

    Watanabe et al. 2017, "Hybrid CTC/attention architecture for end-to-end speech recognition", IEEE Journal of
    Selected Topics in Signal Processing 11 (8), algorithm 2 and equations 22 to 26. The sums over frames are one
    product of matrices for all tokens.

    Args:
        logits: (frames, outputs) of the head.
        columns: Output of each of the decoder's tokens, -1 for tokens that are no text; see `columns_of`.
        end: The token that ends a text.
        weight: Of these scores, 0 to 1; the decoder's have the rest.
    """

    def __init__(self, logits: np.ndarray, columns: np.ndarray, end: int, weight: float):
        self._logits = np.asarray(logits, np.float32)
        self._probs = np.exp(self._logits - self._logits.max(axis=1, keepdims=True))
        sums = self._probs.sum(axis=1, keepdims=True)
        self._probs /= sums
        self._norms = self._logits.max(axis=1).astype(np.float64) + np.log(sums[:, 0])
        self._blank = self._log_probs_of(np.array([BLANK_INDEX]))[0]
        self._columns, self._end, self._weight = columns, end, weight

    def begin(self) -> Prefixes:
        """The empty text: blanks so far."""
        blanks = np.cumsum(self._blank)[None]
        return Prefixes(np.full_like(blanks, -np.inf), blanks, np.zeros(1), np.array([BLANK_INDEX]))

    def joined(self, log_probs: np.ndarray, texts: Prefixes) -> np.ndarray:
        """The decoder's log-probabilities of what follows (texts, tokens), with the head's: weighted sums."""
        return (1.0 - self._weight) * log_probs + self._weight * self.log_probs(texts)

    def log_probs(self, texts: Prefixes) -> np.ndarray:
        """Of what follows each text: (texts, tokens), nats, -inf for tokens that are no text."""
        before, of_last = self._before(texts, BLANK_INDEX), self._before(texts, texts.last)
        peak = before.max(axis=1, keepdims=True)
        peak = np.where(np.isfinite(peak), peak, 0.0)
        with np.errstate(divide="ignore"):
            begun = peak + np.log(np.exp(before - peak).astype(np.float32) @ self._probs)
        rows = np.arange(len(before))
        begun[rows, texts.last] = np.logaddexp.reduce(of_last + self._log_probs_of(texts.last), axis=1)
        found = np.full((len(before), len(self._columns)), -np.inf)
        known = self._columns >= 0
        found[:, known] = begun[:, self._columns[known]]
        found[:, self._end] = np.logaddexp(texts.unit_last[:, -1], texts.blank_last[:, -1])
        known[self._end] = True
        total = np.where(np.isfinite(texts.total), texts.total, 0.0)[:, None]
        found[:, known] = np.maximum(found[:, known] - total, LOWEST)
        return found

    def extended(self, texts: Prefixes, rows: list[int], tokens: list[int]) -> Prefixes:
        """Texts, each one of those given (`rows`) and one token more."""
        chosen = Prefixes(*(part[rows] for part in (texts.unit_last, texts.blank_last, texts.total, texts.last)))
        outputs = self._columns[tokens]
        before, own = self._before(chosen, outputs), self._log_probs_of(outputs)
        unit_last, blank_last = np.full_like(before, -np.inf), np.full_like(before, -np.inf)
        unit, blank = unit_last[:, 0], blank_last[:, 0]
        for frame, of_blank in enumerate(self._blank):
            unit, blank = (np.logaddexp(unit, before[:, frame]) + own[:, frame], np.logaddexp(unit, blank) + of_blank)
            unit_last[:, frame], blank_last[:, frame] = unit, blank
        return Prefixes(unit_last, blank_last, np.logaddexp.reduce(before + own, axis=1), outputs)

    def _log_probs_of(self, outputs):
        """float64 (outputs, frames) of some outputs; of all of a large vocabulary they would take much room."""
        return (self._logits[:, outputs] - self._norms[:, None]).T

    @staticmethod
    def _before(texts, outputs):
        """(texts, frames): all of a text is read before a frame, which may then begin a unit of an output."""
        same = texts.last == outputs
        # Of a unit that is said twice, a blank is in between.
        read = np.where(same[:, None], texts.blank_last, np.logaddexp(texts.unit_last, texts.blank_last))
        first = np.where(texts.last == BLANK_INDEX, 0.0, -np.inf)
        return np.concatenate([first[:, None], read[:, :-1]], axis=1)


def columns_of(head_spec: dict, ctc_spec: dict) -> np.ndarray | None:
    """Where a CTC head has the tokens of a decoder.

    Args:
        head_spec: Of a `seq2seq` head.
        ctc_spec: Of a `ctc` head.

    Returns:
        int (tokens,): the output of each token, -1 for special ones; None where the head lacks one of the others.

    Example:
        >>> columns_of({"units": ["<|endoftext|>", "b", "a"]}, {"kind": "characters", "units": ["a", "b", " "]})
        array([-1,  2,  1])
    """
    index, columns = units_of(ctc_spec).index, []
    for unit in head_spec["units"]:
        if unit not in index and not is_special(unit):
            return None
        columns.append(-1 if is_special(unit) else index[unit])
    return np.array(columns)
