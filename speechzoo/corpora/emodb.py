"""EmoDB, the Berlin Database of Emotional Speech: German sentences in seven emotions (Burkhardt et al. 2005)."""

import re
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, audio_files
from speechzoo.data.transcript import normalize_transcript

# "<speaker><text><emotion><version>.wav"; the tables are those of the database's documentation.
_NAME = re.compile(r"(\d\d)([ab]\d\d)([WLEAFTN])([a-z])")
_EMOTIONS = {"W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "T": "sadness",
             "N": "neutral"}
_GENDERS = {"03": "male", "08": "female", "09": "female", "10": "male", "11": "male", "12": "male", "13": "female",
            "14": "female", "15": "male", "16": "female"}
_TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute Abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}


@register(CORPORA, "emodb")
class EmoDb(Corpus):
    """Labels: emotion, transcript, speaker, gender, language; there are no splits.

    Ten sentences by ten actors in anger, boredom, disgust, fear, happiness, sadness, and neutral.
    """

    labels = ("emotion", "transcript", "speaker", "gender", "language")
    strata = ("gender",)

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        found = False
        for path in audio_files(source):
            name = _NAME.fullmatch(path.stem)
            if name:
                found = True
                yield {"id": f"emodb/{path.stem}", "audio": path.relative_to(source).as_posix(), "corpus": "emodb",
                       **_labels(*name.groups())}
        if not found:
            raise CorpusError(f"{source}: no recordings in it; expected <speaker><text><emotion><version>.wav, "
                              "such as 03a01Fa.wav")


def _labels(speaker: str, text: str, emotion: str, _version: str) -> dict:
    labels = {"emotion": _EMOTIONS[emotion], "language": "de", "speaker": f"emodb_{speaker}"}
    if speaker in _GENDERS:
        labels["gender"] = _GENDERS[speaker]
    if text in _TEXTS:
        labels["transcript"] = normalize_transcript(_TEXTS[text], "de")
    return labels
