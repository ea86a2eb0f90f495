"""ESC-50: environmental sounds of 50 classes in five folds (Piczak 2015)."""

import csv
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, require

# The classes that ESC-10 has too under another name: with one name each, both corpora can train one head.
_NAMES_IN_ESC10 = {"dog": "dog_bark", "crying_baby": "baby_cry", "sneezing": "person_sneeze",
                   "crackling_fire": "fire_crackling"}


@register(CORPORA, "esc50")
class Esc50(Corpus):
    """Label: event, named as ESC-10 names it where it has the class; `split` is fold1 to fold5."""

    labels = ("event",)

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        path = require(source / "meta" / "esc50.csv", "the list of ESC-50")
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if not {"filename", "fold", "category"} <= row.keys():
                    raise CorpusError(f"{path}: expected the columns filename, fold and category, got {', '.join(row)}")
                yield {"id": f"esc50/{row['filename']}", "audio": f"audio/{row['filename']}", "corpus": "esc50",
                       "split": f"fold{row['fold']}", "event": _NAMES_IN_ESC10.get(row["category"], row["category"])}
