"""What every corpus reader has in common."""

import abc
from collections.abc import Iterator
from pathlib import Path

from speechzoo.audio.suffixes import AUDIO_SUFFIXES

#: Name -> reader class.
CORPORA: dict[str, type["Corpus"]] = {}


class CorpusError(ValueError):
    """A folder that isn't the corpus it should be; the message names the file and what was expected there."""


class Corpus(abc.ABC):
    """A corpus on disk, in its own layout -> utterances.

    Attributes:
        has_audio: Whether its utterances are recordings; those of a text corpus only carry `transcript`, `intent` and
            `slots`.
        labels: Fields that its utterances may have, where that is the same for every copy of the corpus.
        group: Field whose value, such as a speaker, is never on both sides of a split; an utterance without it is a
            group of its own.
        strata: Fields that the two sides of a split should agree in, each group in its stratum; see `data.hold_out`.
    """

    has_audio = True
    labels: tuple[str, ...] = ()
    group = "speaker"
    strata: tuple[str, ...] = ()

    @abc.abstractmethod
    def read(self, source: str | Path) -> Iterator[dict]:
        """Yields the utterances, always in the same order.

        Args:
            source: The corpus' folder, as it comes out of its archive.

        Yields:
            Dicts of `docs/architecture.md`: `id`, `audio` (relative to `source`), `corpus`, `split` where the corpus
            has one, and its labels. Where a corpus is in memory, `_audio` (int16 or float32 (samples,) or
            (samples, channels)) and `_sample_rate` (Hz) stand for `audio`. `_skip` says why an utterance can't be used;
            `prepare` lists it. `_written` is the transcript before it was normalised, where that is known. Keys that
            start with an underscore never reach a manifest.

        Raises:
            CorpusError: `source` isn't in the corpus' layout.
        """


class TextCorpus(Corpus):
    """A corpus of written requests: `transcript`, `intent` and `slots` without audio."""

    has_audio = False


def audio_files(folder: Path) -> list[Path]:
    """Audio files under `folder` at any depth, sorted; hidden files and folders are passed over."""
    return [path for path in visible_files(folder) if path.suffix.lower() in AUDIO_SUFFIXES]


def visible_files(folder: Path) -> list[Path]:
    """Files under `folder` at any depth, sorted; hidden files and folders are passed over."""
    return sorted(path for path in folder.rglob("*") if path.is_file()
                  and not any(part.startswith(".") for part in path.relative_to(folder).parts))


def require(path: Path, what: str) -> Path:
    """Returns `path`, or raises CorpusError saying what should be there."""
    if not path.exists():
        raise CorpusError(f"{path}: not found; expected {what}")
    return path


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or CorpusError naming it."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CorpusError(f"{path}: not a text file in UTF-8") from None


def read_table(path: Path, fields: int) -> Iterator[list[str]]:
    """Rows of a Kaldi table: lines cut at white space into `fields` columns, the last holding the rest of the line."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        row = line.split(maxsplit=fields - 1)
        if len(row) < fields:
            raise CorpusError(f"{path}:{number}: expected {fields} columns, got {line!r}")
        yield row
