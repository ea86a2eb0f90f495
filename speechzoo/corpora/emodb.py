"""EmoDB, the Berlin Database of Emotional Speech: German sentences in seven emotions (Burkhardt et al. 2005)."""

import re
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, audio_files

# "<speaker><text><emotion><version>.wav"; the tables are those of the database's documentation.
_NAME = re.compile(r"(\d\d)[ab]\d\d([WLEAFTN])[a-z]")
_EMOTIONS = {"W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "T": "sadness",
             "N": "neutral"}
_GENDERS = {"03": "male", "08": "female", "09": "female", "10": "male", "11": "male", "12": "male", "13": "female",
            "14": "female", "15": "male", "16": "female"}


@register(CORPORA, "emodb")
class EmoDb(Corpus):
    """Labels: emotion, speaker, gender, language; there are no splits.

    Ten sentences by ten actors in anger, boredom, disgust, fear, happiness, sadness, and neutral. The names say which
    sentence it is, but copies go round that are cut to two seconds, so there is no transcript.
    """

    labels = ("emotion", "speaker", "gender", "language")
    strata = ("gender",)

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        found = False
        for path in audio_files(source):
            name = _NAME.fullmatch(path.stem)
            if name:
                found = True
                yield {"id": f"emodb/{path.stem}", "audio": path.relative_to(source).as_posix(), "corpus": "emodb",
                       **_labels(name[1], name[2])}
        if not found:
            raise CorpusError(f"{source}: no recordings in it; expected <speaker><text><emotion><version>.wav, "
                              "such as 03a01Fa.wav")


def _labels(speaker: str, emotion: str) -> dict:
    labels = {"emotion": _EMOTIONS[emotion], "language": "de", "speaker": f"emodb_{speaker}"}
    if speaker in _GENDERS:
        labels["gender"] = _GENDERS[speaker]
    return labels
