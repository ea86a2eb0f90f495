"""A user's own recordings, listed in a manifest."""

from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError
from speechzoo.data.manifest import read_manifest


@register(CORPORA, "manifest")
class Manifest(Corpus):
    """Utterances as the manifest has them; `source` is the JSONL file, or a folder that holds one JSONL file.

    `audio` comes relative to the manifest's folder, as it is written there.
    """

    strata = ("subset", "gender", "age_group")

    def read(self, source: str | Path) -> Iterator[dict]:
        path = Path(source)
        if path.is_dir():
            found = sorted(path.glob("*.jsonl"))
            if len(found) != 1:
                raise CorpusError(f"{path}: {len(found)} .jsonl files in it; name the one to read")
            path = found[0]
        yield from read_manifest(path)
