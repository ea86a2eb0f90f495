"""ESC-10: environmental sounds of 10 classes in five folds (Piczak 2015)."""

import re
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, audio_files


@register(CORPORA, "esc10")
class Esc10(Corpus):
    """Label: event (`dog_bark`, `sea_waves`, ...); `split` is fold1 to fold5."""

    labels = ("event",)

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        found = False
        for path in audio_files(source):
            audio = path.relative_to(source).as_posix()
            # "001 - Dog bark/<fold>-<Freesound clip>-<take>.ogg"
            name = re.fullmatch(r"\d+ - ([^/]+)/([1-5])-[^/]+", audio)
            if name:
                found = True
                yield {"id": f"esc10/{audio}", "audio": audio, "corpus": "esc10", "split": f"fold{name[2]}",
                       "event": name[1].lower().replace(" ", "_")}
        if not found:
            raise CorpusError(f"{source}: no clips in it; expected '001 - Dog bark/<fold>-<clip>-<take>.ogg'")
