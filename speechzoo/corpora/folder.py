"""A user's own recordings in folders."""

from collections.abc import Iterator
from pathlib import Path

from speechzoo.audio.suffixes import AUDIO_SUFFIXES, OTHER_AUDIO_SUFFIXES
from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, read_text, visible_files
from speechzoo.text.normalize import normalize_transcript


@register(CORPORA, "folder")
class Folder(Corpus):
    """Any folder of recordings: what their folders are called is a label, and text files beside them are transcripts.

    - `DIR/<name>/.../a.wav`: the first folder's name is the label `label` (`DIR/yes/1.wav` -> keyword "yes").
    - `DIR/a.wav`: no label.
    - `a.txt` beside `a.wav` is its transcript, wherever it lies.

    What is neither is listed as skipped, recordings that have to be converted among it.

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
        # Where recordings are held out, each class gives its share; of speakers, some are held out altogether.
        self.strata = (label,) if label and label != self.group else ()

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        files = visible_files(source)
        kinds = {path: path.suffix.lower() for path in files}
        audio_kinds = (*AUDIO_SUFFIXES, *OTHER_AUDIO_SUFFIXES)
        if not any(kind in audio_kinds for kind in kinds.values()):
            raise CorpusError(f"{source}: no WAV, FLAC, OGG or MP3 file in it")
        corpus = self.corpus or source.resolve().name
        # Whatever their endings' case is. A text without a recording of its name isn't a transcript.
        texts = {path.with_suffix(""): path for path in files if kinds[path] == ".txt"}
        spoken = {path.with_suffix("") for path in files if kinds[path] in audio_kinds}
        for path in files:
            audio = path.relative_to(source).as_posix()
            utterance = {"id": f"{corpus}/{audio}", "audio": audio, "corpus": corpus}
            if kinds[path] not in audio_kinds:
                if path.with_suffix("") not in spoken or kinds[path] != ".txt":
                    yield {**utterance, "_skip": _why_not(kinds[path])}
                continue
            for field in ("split", "language"):
                if getattr(self, field):
                    utterance[field] = getattr(self, field)
            if self.label and path.parent != source:
                name = audio.split("/")[0]
                # Speakers of different corpora are different people, whatever they are called.
                utterance[self.label] = f"{corpus}_{name}" if self.label == "speaker" else name
            if kinds[path] in OTHER_AUDIO_SUFFIXES:
                utterance["_skip"] = f"{kinds[path]} can't be read; convert it: ffmpeg -i FILE{kinds[path]} FILE.wav"
            text = texts.get(path.with_suffix(""))
            if text is not None:
                try:
                    utterance["_written"] = read_text(text)
                    utterance["transcript"] = normalize_transcript(utterance["_written"], self.language or "en")
                except CorpusError:
                    utterance["_skip"] = f"its transcript, {text.name}, is not a text file in UTF-8"
            yield utterance


def _why_not(kind):
    if kind == ".txt":
        return "a text without a recording of the same name"
    return f"no recording, by its ending {kind}" if kind else "no recording, as its name has no ending"
