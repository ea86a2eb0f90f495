"""HWU64: written requests to a home robot, 64 intents (Liu et al. 2019)."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, CorpusError, TextCorpus
from speechzoo.text.normalize import normalize_transcript

_SLOT = re.compile(r"\[\s*(\w+)\s*:\s*([^\]]*?)\s*\]")
_COLUMNS = {"scenario", "intent", "answer_annotation"}


@register(CORPORA, "hwu64")
class Hwu64(TextCorpus):
    """Labels: transcript, intent (scenario and intent, `alarm_set`), slots, language; `split` is train or test.

    Reads `trainset/*.csv` and `testset/csv/*.csv` of a fold (or `train/`, `test/`). Where a slot occurs twice in a
    request, its first value is kept.
    """

    labels = ("transcript", "intent", "slots", "language")

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        files = [(split, path) for split in ("train", "test") for path in sorted(source.glob(f"{split}*/**/*.csv"))]
        if not files:
            raise CorpusError(f"{source}: no requests in it; expected train/<scenario>_<intent>.csv and test/...")
        for split, path in files:
            with path.open(encoding="utf-8-sig", newline="") as file:
                for number, row in enumerate(csv.DictReader(file, delimiter=";")):
                    if not _COLUMNS <= row.keys():
                        raise CorpusError(f"{path}: expected the columns {', '.join(sorted(_COLUMNS))}, cut by ';'")
                    utterance = _utterance(row)
                    if utterance["transcript"]:
                        # Not `answerid`, which is "null" for many.
                        yield {"id": f"hwu64/{split}/{path.stem}/{number}", "corpus": "hwu64", "split": split,
                               **utterance}


def _utterance(row: dict) -> dict:
    annotation = row["answer_annotation"] or ""
    slots = {}
    for name, value in _SLOT.findall(annotation):
        value = normalize_transcript(value)
        if value:
            slots.setdefault(name, value)
    utterance = {"language": "en", "transcript": normalize_transcript(_SLOT.sub(r"\2", annotation)),
                 "intent": f"{row['scenario']}_{row['intent']}"}
    if slots:
        utterance["slots"] = slots
    return utterance
