"""LibriSpeech: read English audiobooks (Panayotov et al. 2015)."""

import re
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, read_text, require
from speechzoo.corpora.textgrid import read_alignment
from speechzoo.text.normalize import normalize_transcript

_NAME = re.compile(r"(\d+)-(\d+)-(\d+)\.flac")
_SUBSET = re.compile(r"(?:train|dev|test)-(?:clean|other)(?:-\d+)?")


@register(CORPORA, "librispeech")
class LibriSpeech(Corpus):
    """Labels: transcript, speaker, gender, language; alignment where there are alignments; `split` is the subset.

    Reads the original layout (`<subset>/<reader>/<chapter>/<reader>-<chapter>-<number>.flac` beside a `.trans.txt`),
    and any other folder of files of these names; what has no `.trans.txt` has no transcript.

    Args:
        speakers: Path of SPEAKERS.TXT, which knows the genders; by default the one in the folder, where there is one.
        transcripts: Path of a file like the `.trans.txt`, for recordings that have none beside them.
        alignments: Folder of TextGrids (`<reader>-<chapter>-<number>.TextGrid` at any depth), as the Montreal Forced
            Aligner writes them.
    """

    labels = ("transcript", "speaker", "gender", "language")
    strata = ("subset", "gender")

    def __init__(self, speakers: str | Path | None = None, transcripts: str | Path | None = None,
                 alignments: str | Path | None = None):
        self.speakers, self.transcripts, self.alignments = speakers, transcripts, alignments

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        files = sorted((path for path in source.rglob("*.flac") if _NAME.fullmatch(path.name)),
                       key=lambda path: (path.parent, path.name))
        if not files:
            raise CorpusError(f"{source}: no LibriSpeech recordings (<reader>-<chapter>-<number>.flac) in it")
        genders, others, grids = self._genders(source), self._other_transcripts(), self._textgrids()
        folder, transcripts = None, {}
        for path in files:
            if path.parent != folder:
                folder, transcripts = path.parent, others | _read_transcripts(path.parent)
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
            alignment = read_alignment(grids[path.stem]) if path.stem in grids else None
            if alignment:
                utterance["alignment"] = alignment
            yield utterance

    def _other_transcripts(self) -> dict[str, str]:
        if self.transcripts is None:
            return {}
        return _transcripts_in(require(Path(self.transcripts), "a file of transcripts, '<utterance> <text>' on a line"))

    def _textgrids(self) -> dict[str, Path]:
        if self.alignments is None:
            return {}
        grids = {path.stem: path for path in Path(self.alignments).rglob("*.TextGrid")}
        if not grids:
            raise CorpusError(f"{self.alignments}: no TextGrid in it; `alignments` is a folder of them")
        return grids

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
        transcripts |= _transcripts_in(path)
    return transcripts


def _transcripts_in(path: Path) -> dict[str, str]:
    lines = (line.partition(" ") for line in read_text(path).splitlines())
    return {name: text for name, _, text in lines}
