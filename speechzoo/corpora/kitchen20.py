"""Kitchen20: 20 sounds of kitchens, clips of at most five seconds (Moreaux et al. 2019)."""

import csv
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, require

_COLUMNS = {"category", "fold", "path", "usr_id"}


@register(CORPORA, "kitchen20")
class Kitchen20(Corpus):
    """Labels: sound (`boiling_water`, `frying_pan`, ...), source_recording; `split` is fold1 to fold9.

    The label isn't called event: to a head that knows other events these are recordings of none of them, and noise to
    speech. `source_recording` (the column `usr_id`) is the long recording that a clip was cut from; its clips
    lie in several folds, so whoever splits goes by it.
    """

    labels = ("sound", "source_recording")
    group = "source_recording"

    def read(self, source: str | Path) -> Iterator[dict]:
        table = require(Path(source) / "kitchen20.csv", "the list of Kitchen20")
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if not _COLUMNS <= row.keys() or None in row.values():
                    raise CorpusError(f"{table}: expected the columns {', '.join(sorted(_COLUMNS))}, got {row}")
                yield {"id": f"kitchen20/{row['path']}", "audio": row["path"], "corpus": "kitchen20",
                       "split": f"fold{row['fold']}", "sound": row["category"].replace("-", "_"),
                       "source_recording": f"kitchen20_{row['usr_id']}"}
