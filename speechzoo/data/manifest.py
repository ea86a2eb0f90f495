"""Manifests: JSONL files, one utterance a line, the contract between corpora and everything after.

An utterance is a dict with `audio` (a path, absolute or relative to the manifest's folder) and whatever labels it has.
The fields named in `FIELDS` have a fixed meaning and are checked; every other field is a label of the user's own.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from speechzoo.config import nearest
from speechzoo.files import open_atomically
from speechzoo.text.units import PHONES, SILENCE_PHONE

MANIFEST = "manifest.jsonl"
GENDERS = ("female", "male")
AGE_GROUPS = ("adult", "child")
SPEECH_CLASSES = ("none", "speech")


@dataclass(frozen=True)
class ManifestProblem:
    """One thing that is wrong in a manifest.

    Attributes:
        file: The manifest.
        line: Line in it, from 1; 0 when it concerns the whole file.
        field: Field of the utterance; empty when the line itself can't be read.
        message: What is wrong and what to do.
    """

    file: str
    line: int
    field: str
    message: str

    def __str__(self):
        where = f"{self.file}:{self.line}" if self.line else self.file
        field = self.field if self.field.isprintable() else ascii(self.field)
        return f"{where}: {field}: {self.message}" if field else f"{where}: {self.message}"


class ManifestError(ValueError):
    """A manifest that can't be used; the message names file, line and field of the first problem.

    Attributes:
        problems: Every problem found, in the order of the lines.
    """

    def __init__(self, problems: list[ManifestProblem]):
        self.problems = problems
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")


def manifest_of(path: str | Path) -> Path:
    """The manifest that a path names: the file itself, or the one that a prepared folder holds."""
    path = Path(path)
    return path / MANIFEST if path.is_dir() else path


def read_manifest(path: str | Path) -> list[dict]:
    """Reads the utterances of a manifest.

    Args:
        path: JSONL file, UTF-8.

    Returns:
        The utterances in the order of the lines. `audio` stays as it is written (`audio_path` resolves it); `id` is
        "<file name>:<line>" unless the line gives one.

    Raises:
        ManifestError: Something in it is wrong; whether the audio exists is not looked at (`validate_manifest` does).

    Example:
        >>> write_manifest("example.jsonl", [{"audio": "a.wav", "keyword": "yes"}])
        1
        >>> read_manifest("example.jsonl")
        [{'audio': 'a.wav', 'keyword': 'yes', 'id': 'example.jsonl:1'}]
    """
    utterances, problems = _parse(Path(path))
    if problems:
        raise ManifestError(problems)
    return [utterance for _, utterance in utterances]


def write_manifest(path: str | Path, utterances: Iterable[dict]) -> int:
    """Writes a manifest, whole or not at all; a file that is there is replaced at the end.

    Args:
        path: JSONL file to write; folders above it are made.
        utterances: Utterances as `read_manifest` gives them. Keys that start with an underscore are left out.

    Returns:
        The number of utterances written.

    Raises:
        ManifestError: An utterance breaks the contract; the line named is the one it would have had.
        OSError: The file can't be written; what was there before is untouched.
    """
    path = Path(path)
    lines_of_ids: dict[str, int] = {}
    line = 0
    with open_atomically(path) as file:
        for line, utterance in enumerate(utterances, 1):
            values = {key: value for key, value in utterance.items() if not str(key).startswith("_")}
            problems = _problems(path, line, values, lines_of_ids)
            if problems:
                raise ManifestError(problems)
            file.write((json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n").encode())
    return line


def validate_manifest(path: str | Path) -> list[ManifestProblem]:
    """Everything that is wrong in a manifest, missing and empty audio files included; an empty list when it is good."""
    path = Path(path)
    utterances, problems = _parse(path)
    for line, utterance in utterances:
        record = utterance.get("record")
        field, file = ("record", path.parent / record["shard"]) if record else ("audio", audio_path(path, utterance))
        if not file.is_file():
            message = f"no such file '{file}'; paths are absolute or relative to the manifest's folder"
            problems.append(ManifestProblem(str(path), line, field, message))
        elif not file.stat().st_size:
            problems.append(ManifestProblem(str(path), line, field, f"'{file}' is empty"))
    return sorted(problems, key=lambda problem: problem.line)


def audio_path(manifest: str | Path, utterance: dict) -> Path:
    """Where the audio of an utterance of `manifest` lies."""
    return Path(manifest).parent / utterance["audio"]


def with_absolute_paths(utterance: dict, folder: Path) -> dict:
    """The utterance as a manifest anywhere else says it; `folder` is where its manifest lies, absolute."""
    changed = dict(utterance)
    if "audio" in utterance:
        changed["audio"] = str(folder / utterance["audio"])
    if "record" in utterance:
        changed["record"] = {**utterance["record"], "shard": str(folder / utterance["record"]["shard"])}
    return changed


def check_utterance(utterance: dict) -> list[tuple[str, str]]:
    """What breaks the contract in one utterance: (field, message) pairs, an empty list when nothing does."""
    problems = []
    if "audio" not in utterance and "record" not in utterance:
        close = nearest("audio", utterance)
        hint = f"; {close}" if close.startswith("did you mean") else ""
        problems.append(("audio", f"missing; every utterance names its audio file{hint}"))
    for field, value in utterance.items():
        message = FIELDS.get(field, _label)(value)
        if message:
            problems.append((field, message))
    return problems


def _parse(path: Path) -> tuple[list[tuple[int, dict]], list[ManifestProblem]]:
    if not path.is_file():
        return [], [ManifestProblem(str(path), 0, "", "no such manifest")]
    utterances, problems, lines_of_ids = [], [], {}
    with path.open("rb") as file:
        for line, data in enumerate(file, 1):
            if not data.strip():
                continue
            try:
                text = data.decode("utf-8-sig" if line == 1 else "utf-8")
                utterance = json.loads(text, parse_constant=_reject_constant)
            except (ValueError, RecursionError) as error:  # also UnicodeDecodeError and JSONDecodeError
                problems.append(ManifestProblem(str(path), line, "", f"not valid JSON: {error}"))
                continue
            if not isinstance(utterance, dict):
                message = f"expected an object such as {{\"audio\": \"a.wav\"}}, got {_shown(utterance)}"
                problems.append(ManifestProblem(str(path), line, "", message))
                continue
            utterance.setdefault("id", f"{path.name}:{line}")
            found = _problems(path, line, utterance, lines_of_ids)
            problems += found
            if not found:
                utterances.append((line, utterance))
    return utterances, problems


def _reject_constant(name):
    raise ValueError(f"{name} is not a JSON number")


def _problems(path: Path, line: int, utterance: dict, lines_of_ids: dict[str, int]) -> list[ManifestProblem]:
    """What is wrong with one utterance, given the ids of the lines before it; enters its own."""
    problems = check_utterance(utterance)
    identity = utterance.get("id")
    if isinstance(identity, str):
        first = lines_of_ids.setdefault(identity, line)
        if first != line:
            problems.append(("id", f"{identity!r} is already the id of line {first}; ids are unique"))
    return [ManifestProblem(str(path), line, field, message) for field, message in problems]


def _shown(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _text(value) -> str | None:
    """What is wrong with a value that should be text, empty or not."""
    if not isinstance(value, str):
        return f"expected text, got {_shown(value)}"
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        return f"not valid text: {_shown(value)}"
    return None


def _name(value) -> str | None:
    message = _text(value)
    return message or (None if value.strip() else "empty; leave the field out where there is no label")


def _one_of(known):
    def check(value):
        return _name(value) or (None if value in known else f"unknown value {value!r}; {nearest(value, known)}")
    return check


def _seconds(value, positive: bool = False) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return f"expected seconds, got {_shown(value)}"
    if value < 0 or positive and value == 0:
        return f"{value} seconds; must be {'more than 0' if positive else '0 or more'}"
    return None


def _phones(value) -> str | None:
    message = _text(value)
    if message:
        return message
    for phone in value.split():
        if phone not in PHONES:
            bare = re.sub("[0-9]+$", "", phone)
            hint = f"write it without stress, '{bare}'" if bare in PHONES else nearest(phone, PHONES)
            return f"{phone!r} is not an ARPAbet phone; {hint}"
    return None


def _alignment(value) -> str | None:
    if not isinstance(value, list):
        return f"expected a list of [phone, end in seconds], got {_shown(value)}"
    return _timed(value, (SILENCE_PHONE, *PHONES), "[phone, end in seconds] with an ARPAbet phone or SIL")


def _timed(pairs, names, expected) -> str | None:
    before = 0.0
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or pair[0] not in names or _seconds(pair[1]):
            return f"expected {expected}, got {_shown(pair)}"
        if pair[1] < before:
            return f"{_shown(pair)} ends before the one before it, at {before:g} s"
        before = pair[1]
    return None


def _words(value) -> str | None:
    if not isinstance(value, list):
        return f"expected a list of [word, end in seconds], got {_shown(value)}"
    names = [pair[0] for pair in value if isinstance(pair, list) and pair and _name(pair[0]) is None]
    return _timed(value, names, "[word, end in seconds]")


def _speech(value) -> str | None:
    if isinstance(value, str):
        return _one_of(SPEECH_CLASSES)(value)
    if not isinstance(value, list):
        return f"expected speech, none, or a list of [speech or none, end in seconds], got {_shown(value)}"
    return _timed(value, SPEECH_CLASSES, "[speech or none, end in seconds]")


def _slots(value) -> str | None:
    if not isinstance(value, dict):
        return f"expected an object of names and values, got {_shown(value)}"
    for name, content in value.items():
        message = _name(name) or _name(content)
        if message:
            return f"{name!r}: {message}"
    return None


def _language(value) -> str | None:
    message = _name(value)
    return message or (None if re.fullmatch("[a-z]{2,3}", value) else f"{value!r} is not an ISO 639 code such as 'en'")


def _record(value) -> str | None:
    if not isinstance(value, dict) or set(value) != {"shard", "offset", "length"}:
        return f"expected an object with shard, offset and length, got {_shown(value)}"
    for key in ("offset", "length"):
        if isinstance(value[key], bool) or not isinstance(value[key], int) or value[key] < 0:
            return f"{key}: expected a number of bytes, got {_shown(value[key])}"
    message = _name(value["shard"])
    return f"shard: {message}" if message else None


def _label(value) -> str | None:
    """A label of the user's own: text, a number, a truth value, or lists and objects of them."""
    if value is None:
        return "null; leave the field out where there is no label"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is not a JSON number"
    if isinstance(value, (bool, int, float)):
        return None
    if isinstance(value, (list, tuple)):
        return next((message for message in map(_label, value) if message), None)
    if isinstance(value, dict):
        messages = (_name(name) or _label(content) for name, content in value.items())
        return next((message for message in messages if message), None)
    return _name(value)


#: Field -> function that says what is wrong with its value, or None.
FIELDS = {
    "id": _name,
    "audio": _name,
    "start": _seconds,
    "duration": lambda value: _seconds(value, positive=True),
    "record": _record,
    "corpus": _name,
    "split": _name,
    "transcript": _text,
    "phones": _phones,
    "alignment": _alignment,
    "words": _words,
    "speech": _speech,
    "intent": _name,
    "slots": _slots,
    "keyword": _name,
    "speaker": _name,
    "gender": _one_of(GENDERS),
    "age_group": _one_of(AGE_GROUPS),
    "language": _language,
    "event": _name,
}
