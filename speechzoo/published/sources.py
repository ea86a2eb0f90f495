"""What people have of a published model -> its file of weights: a file, a folder, downloaded packages, or the hub."""

import contextlib
import json
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from speechzoo import hub
from speechzoo.published.array_file import damaged
from speechzoo.published.settings import read_yaml
from speechzoo.published.tar_reading import GZIP_START, MAXIMUM_EXPANSION, TarArchive

# The best first: what can't run anything, and says most of itself.
_WEIGHTS = [re.compile(pattern) for pattern in (
    r"embedding_model\.ckpt", r".*\.safetensors",
    r"model\.bin", r".*\.nemo", r".*\.(pt|pth|ckpt)|pytorch_model\.bin", r".*\.(keras|h5)")]
_PART = re.compile(r"(.+)\.part([0-9]{1,3})")
# Settings, tokens, and the card with the licence.
_BESIDE = ("config.json", "README.md", "vocabulary.json", "vocabulary.txt", "tokenizer.json",
           "preprocessor_config.json", "tokenizer_config.json", "vocab.json", "added_tokens.json")
# The hub's names of licences -> SPDX's.
_LICENCES = {"mit": "MIT", "apache-2.0": "Apache-2.0", "cc-by-4.0": "CC-BY-4.0", "cc-by-nc-4.0": "CC-BY-NC-4.0",
             "cc0-1.0": "CC0-1.0", "bsd-3-clause": "BSD-3-Clause"}
_SAFE_NAME = re.compile(r"[\w\-][\w.\-]*", re.ASCII)
_MAXIMUM_TEXT = 1 << 22  # bytes of a config or card
_PIECE = 1 << 20
_PACKAGE = "package (wheel or source distribution)"


@dataclass
class Source:
    """A file of weights, and what lies beside it.

    Attributes:
        path: The file.
        label: Names it in messages, where it was taken out of something.
        given: Where it is from: the hub's name with the revision, the packages' names, or the file's.
        config: The `config.json` beside it.
        licence: What the model's card on the hub says; empty elsewhere.
    """

    path: Path
    label: str
    given: str
    config: dict = field(default_factory=dict)
    licence: str = ""


@contextlib.contextmanager
def located(source: str | Path) -> Iterator[Source]:
    """The weights that `source` names, as long as the context lasts.

    Args:
        source: A file of weights; a folder with one, with its parts (`model.bin.part1`, `.part2`) or with packages; a
            wheel or source distribution as a package index has it, which is read and never installed; or
            `hf://owner/name`.

    Raises:
        FileNotFoundError: Nothing there, or no weights in it.
        ValueError: Several files that could be meant, a missing part, or a damaged or hostile package.
        OSError: The hub can't be reached, or has no such model.
    """
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        if hub.is_on_hub(source):
            found = hub.download(str(source), lambda names: _chosen(names, str(source)))
            located = _in_folder(found.folder, scratch, str(source), str(found))
            located.licence = _card_licence(found.folder / "README.md")
            yield located
            return
        path = Path(source)
        if path.is_dir():
            files = [] if _weights_in(_names(path)) else sorted(path.iterdir())
            packages = [file for file in files if is_package(file)]
            given = ", ".join(package.name for package in packages)
        elif path.is_file():
            packages, given = [path] if is_package(path) else [], path.name
        else:
            raise FileNotFoundError(f"{path}: no such file or folder")
        if packages:
            for package in packages:
                _unpack(package, scratch)
            yield _in_folder(scratch, scratch, str(path), given)
        elif path.is_dir():
            yield _in_folder(path, scratch, str(path), "")
        else:
            yield Source(path, str(path), path.name, read_settings(path.parent / "config.json"))


def is_package(path: Path) -> bool:
    """Whether a file is a wheel or a source distribution, by what is in it."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        start = file.read(4)
    try:
        if start.startswith(b"PK\3\4"):
            with zipfile.ZipFile(path) as archive:
                return any(name.endswith(".dist-info/METADATA") for name in archive.namelist())
        if start.startswith(GZIP_START):
            return any(name.count("/") == 1 and name.endswith("/PKG-INFO")
                       for name in TarArchive(path, lambda problem: damaged(path, _PACKAGE, problem)).members)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, EOFError, struct.error):
        pass  # whatever it is, its reader says what is wrong with it
    return False


def _chosen(names, source):
    """The files of a model on the hub to fetch: the best weights, and what lies beside them."""
    weights = _weights_in(names)
    if not weights:
        raise FileNotFoundError(f"{source}: no file of weights in it")
    return [*weights, *(name for name in names if name in _BESIDE)]


def _names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def _weights_in(names):
    """Those of the names that are weights of the best kind that there is; the parts of one count as it."""
    for pattern in _WEIGHTS:
        found = [name for name in names if pattern.fullmatch(_whole(name))]
        if found:
            return found
    return []


def _whole(name):
    match = _PART.fullmatch(name)
    return match[1] if match else name


def _in_folder(folder, scratch, label, given):
    names = _weights_in(_names(folder))
    wholes = sorted({_whole(name) for name in names})
    if not wholes:
        raise FileNotFoundError(f"{label}: no file of weights in it")
    if len(wholes) > 1:
        raise ValueError(f"{label}: {len(wholes)} files of weights ({', '.join(wholes[:4])}); give one of them")
    path = folder / wholes[0]
    if wholes != names:
        path = _join(folder, wholes[0], names, scratch, label)
    label = str(path) if str(path.parent) == label else f"{label}: {wholes[0]}"
    return Source(path, label, given or wholes[0], read_settings(folder / "config.json"))


def _join(folder, whole, names, scratch, label):
    numbers = sorted(int(match[2]) for match in map(_PART.fullmatch, names) if match)
    if len(numbers) != len(names) or numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"{label}: parts {', '.join(map(str, numbers))} of {whole}, where 1, 2, ... were expected; "
                         "fetch those that are missing")
    with open(scratch / f"joined.{whole}", "wb") as file:
        for name in sorted(names, key=lambda name: int(_PART.fullmatch(name)[2])):
            with open(folder / name, "rb") as part:
                shutil.copyfileobj(part, file, _PIECE)
    return scratch / f"joined.{whole}"


def _unpack(package, scratch):
    """Writes the weights of a package, and what lies beside them, under their own names alone."""
    def bad(problem):
        return damaged(package, _PACKAGE, problem)

    left = MAXIMUM_EXPANSION * package.stat().st_size + _PIECE
    for name, file in _members(package, bad):
        if (scratch / name).exists():
            if name in _BESIDE:
                continue  # that of the first package
            raise bad(f"'{name}' is there twice")
        with file, open(scratch / name, "wb") as target:
            while piece := _read(file, bad):
                left -= len(piece)
                if left < 0:
                    raise bad(f"it grows to more than {MAXIMUM_EXPANSION} times its size, which weights don't")
                target.write(piece)


def _members(package, bad):
    """(name without folders, open file) of each member that is needed."""
    def needed(names):
        for name in names:
            last = name.rpartition("/")[2]
            if _SAFE_NAME.fullmatch(last) and (last in _BESIDE or _weights_in([last])):
                yield name, last

    with open(package, "rb") as file:
        gzipped = file.read(2) == GZIP_START
    if gzipped:
        archive = TarArchive(package, bad)
        yield from ((last, archive.open(name)) for name, last in needed(archive.members))
        return
    with zipfile.ZipFile(package) as archive:
        for name, last in needed(archive.namelist()):
            try:
                yield last, archive.open(name)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, struct.error) as error:
                raise bad(" ".join(str(error).split())[:120]) from None


def _read(file, bad):
    try:
        return file.read(_PIECE)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
        raise bad(" ".join(str(error).split())[:120] or "it ends too soon") from None


def read_settings(path: Path) -> dict:
    """The values of a JSON file beside the weights; none where there is no such file, or one of megabytes.

    Raises:
        ValueError: It is no JSON.
    """
    if not path.is_file() or path.stat().st_size > _MAXIMUM_TEXT:
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: damaged, not valid JSON; fetch it again") from None
    return values if isinstance(values, dict) else {}


def _card_licence(path):
    """What the front matter of a model's card names as its licence."""
    if not path.is_file() or path.stat().st_size > _MAXIMUM_TEXT:
        return ""
    match = re.match(r"---\n(.*?)\n---", path.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    values = read_yaml(match[1]) if match else {}
    licence = values.get("license") if isinstance(values, dict) else ""
    if not isinstance(licence, str) or not re.fullmatch(r"[\w.\-+]{1,40}", licence):
        return ""
    return _LICENCES.get(licence, licence)
