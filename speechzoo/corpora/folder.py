"""A user's own recordings in folders."""

from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, audio_files, read_text
from speechzoo.text.normalize import normalize_transcript


@register(CORPORA, "folder")
class Folder(Corpus):
    """Any folder of recordings: what their folders are called is a label, and text files beside them are transcripts.

    - `DIR/<name>/.../a.wav`: the first folder's name is the label `label` (`DIR/yes/1.wav` -> keyword "yes").
    - `DIR/a.wav`: no label.
    - `a.txt` beside `a.wav` is its transcript, wherever it lies.

    Args:
        label: Field that the folder's name is the value of: keyword, speaker, event, gender, intent, ...; None
            for folders that mean nothing.
        corpus: Name of the corpus; the folder's own name by default.
        language: ISO 639-1 code of what is spoken, where it is one language.
        split: Split of all of them.
    """

    def __init__(self, label: str | None = "keyword", corpus: str | None = None, language: str | None = None,
                 split: str | None = None):
        self.label = label
        self.corpus = corpus
        self.language = language
        self.split = split

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        files = audio_files(source)
        if not files:
            raise CorpusError(f"{source}: no WAV, FLAC, OGG or MP3 file in it")
        corpus = self.corpus or source.resolve().name
        for path in files:
            audio = path.relative_to(source).as_posix()
            utterance = {"id": f"{corpus}/{audio}", "audio": audio, "corpus": corpus}
            for field in ("split", "language"):
                if getattr(self, field):
                    utterance[field] = getattr(self, field)
            if self.label and path.parent != source:
                name = audio.split("/")[0]
                # Speakers of different corpora are different people, whatever they are called.
                utterance[self.label] = f"{corpus}_{name}" if self.label == "speaker" else name
            text = path.with_suffix(".txt")
            if text.is_file():
                try:
                    utterance["transcript"] = normalize_transcript(read_text(text), self.language or "en")
                except CorpusError:
                    utterance["_skip"] = f"its transcript, {text.name}, is not a text file in UTF-8"
            yield utterance
