"""TextGrid files of Praat, as the Montreal Forced Aligner writes them: when each word and each phone is spoken."""

import re
from pathlib import Path

from speechzoo.corpora.corpus import CorpusError, read_text
from speechzoo.data.force_alignment import append_phone
from speechzoo.text.units import PHONES, SILENCE_PHONE

_SILENCES = ("", "sil", "sp")
_TIER = re.compile(r'name = "([^"]*)"(.*?)(?=class = "|\Z)', re.DOTALL)
_INTERVAL = re.compile(r'xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text = "([^"]*)"')


def read_alignment(path: Path) -> list[list] | None:
    """The tier `phones` of a TextGrid as an alignment.

    Args:
        path: TextGrid in the long text format.

    Returns:
        [phone, end in seconds] pairs from the beginning to the end of the recording, ARPAbet without stress and SIL,
        neighbouring silences as one; None where a phone isn't known, as in words that the aligner had no pronunciation
        of (`spn`).

    Raises:
        CorpusError: The file has no such tier.
    """
    tiers = dict(_TIER.findall(read_text(path)))
    intervals = _INTERVAL.findall(tiers.get("phones", ""))
    if not intervals:
        raise CorpusError(f"{path}: no tier 'phones' with intervals; expected a TextGrid in the long text format")
    pairs, before = [], 0.0
    for start, end, text in intervals:
        if float(start) > before:  # nothing is said between two intervals
            append_phone(pairs, SILENCE_PHONE, float(start))
        phone = SILENCE_PHONE if text in _SILENCES else text.rstrip("0123456789")
        if phone != SILENCE_PHONE and phone not in PHONES:
            return None
        append_phone(pairs, phone, float(end))
        before = float(end)
    return pairs
