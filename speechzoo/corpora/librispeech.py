"""LibriSpeech: read English audiobooks (Panayotov et al. 2015)."""

import re
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, read_text
from speechzoo.data.transcript import normalize_transcript

_NAME = re.compile(r"(\d+)-(\d+)-(\d+)\.flac")
_SUBSET = re.compile(r"(?:train|dev|test)-(?:clean|other)(?:-\d+)?")


@register(CORPORA, "librispeech")
class LibriSpeech(Corpus):
    """Labels: transcript, speaker, gender, language; `split` is the subset, such as dev-clean.

    Reads the original layout (`<subset>/<reader>/<chapter>/<reader>-<chapter>-<number>.flac` beside a `.trans.txt`),
    and any other folder of files of these names; what has no `.trans.txt` has no transcript.

    Args:
        speakers: Path of SPEAKERS.TXT, which knows the genders; by default the one in the folder, where there is one.
    """

    labels = ("transcript", "speaker", "gender", "language")

    def __init__(self, speakers: str | Path | None = None):
        self.speakers = speakers

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        files = sorted((path for path in source.rglob("*.flac") if _NAME.fullmatch(path.name)),
                       key=lambda path: (path.parent, path.name))
        if not files:
            raise CorpusError(f"{source}: no LibriSpeech recordings (<reader>-<chapter>-<number>.flac) in it")
        genders = self._genders(source)
        folder, transcripts = None, {}
        for path in files:
            if path.parent != folder:
                folder, transcripts = path.parent, _read_transcripts(path.parent)
            reader = path.name.split("-")[0]
            relative = path.relative_to(source).as_posix()
            utterance = {"id": f"librispeech/{path.stem}", "audio": relative, "corpus": "librispeech", "language": "en",
                         "speaker": f"librispeech_{reader}"}
            # The subset may be a part of the path or of a part ("librispeech_train-clean-100").
            subset = _SUBSET.search(relative) or _SUBSET.search(source.name)
            if subset:
                utterance["split"] = subset[0]
            if path.stem in transcripts:
                utterance["transcript"] = normalize_transcript(transcripts[path.stem])
            if reader in genders:
                utterance["gender"] = genders[reader]
            yield utterance

    def _genders(self, source: Path) -> dict[str, str]:
        if self.speakers is not None:
            path = Path(self.speakers)
            if not path.is_file():
                raise CorpusError(f"{path}: no such file; `speakers` is the path of LibriSpeech's SPEAKERS.TXT")
        else:
            # A subset's folder may have been given: SPEAKERS.TXT lies above it.
            path = next((folder / "SPEAKERS.TXT" for folder in (source, source.parent, source / "LibriSpeech")
                         if (folder / "SPEAKERS.TXT").is_file()), None)
            if path is None:
                return {}
        genders = {}
        for line in read_text(path).splitlines():
            columns = [column.strip() for column in line.split("|")]
            if not line.startswith(";") and len(columns) >= 2 and columns[1] in ("F", "M"):
                genders[columns[0]] = "female" if columns[1] == "F" else "male"
        return genders


def _read_transcripts(folder: Path) -> dict[str, str]:
    transcripts = {}
    for path in sorted(folder.glob("*.trans.txt")):
        for line in read_text(path).splitlines():
            name, _, text = line.partition(" ")
            transcripts[name] = text
    return transcripts
