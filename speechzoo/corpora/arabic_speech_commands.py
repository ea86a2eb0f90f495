"""Arabic Speech Commands: 40 words by 30 speakers (Ghandoura et al. 2021)."""

import csv
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError


@register(CORPORA, "arabic_speech_commands")
class ArabicSpeechCommands(Corpus):
    """Labels: keyword (the English name of the Arabic word), speaker, language; `split` is train, val or test."""

    labels = ("keyword", "speaker", "language")

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        lists = [path for path in (source / f"{split}.csv" for split in ("train", "val", "test")) if path.is_file()]
        if not lists:
            raise CorpusError(f"{source / 'train.csv'}: not found; expected the lists of Arabic Speech Commands")
        for path in lists:
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    if not row.get("file") or not row.get("class"):
                        raise CorpusError(f"{path}: expected the columns 'file' and 'class', got {row}")
                    # "dataset/<word>/<contributor>_NO_<round>.wav"
                    speaker = row["file"].rsplit("/", 1)[-1].split("_")[0]
                    yield {"id": f"arabic_speech_commands/{row['file']}", "audio": row["file"],
                           "corpus": "arabic_speech_commands", "split": path.stem, "keyword": row["class"],
                           "speaker": f"arabic_speech_commands_{speaker}", "language": "ar"}
