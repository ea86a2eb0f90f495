"""Which recordings are meant, and where what was recognised in them goes."""

import os
import sys
from pathlib import Path

from speechzoo.audio.suffixes import AUDIO_SUFFIXES, OTHER_AUDIO_SUFFIXES
from speechzoo.transcripts.formats import ENDINGS


def find_recordings(named: list[str], listed: str | None = None) -> list[str]:
    """The recordings that paths lead to, in their order.

    Args:
        named: Paths of recordings, and of folders, which stand for all recordings below them, in alphabetical order.
            "-" stays as it is.
        listed: A file with one such path per line; "-" is standard input.

    Raises:
        ValueError: A folder without recordings.
        OSError: The list can't be read.
    """
    names = list(named)
    if listed:
        text = sys.stdin.read() if listed == "-" else Path(listed).read_text(encoding="utf-8-sig")
        names += [line for line in text.splitlines() if line.strip()]
    found = []
    endings = {*AUDIO_SUFFIXES, *OTHER_AUDIO_SUFFIXES}  # what has to be converted is missed aloud
    for name in names:
        if name != "-" and os.path.isdir(name):
            inside = sorted(str(path) for path in Path(name).rglob("*")
                            if path.suffix.lower() in endings and path.is_file())
            if not inside:
                raise ValueError(f"{name}: no recordings in it (of {', '.join(AUDIO_SUFFIXES[:4])}, ...)")
            found += inside
        else:
            found.append(name)
    return found


def output_paths(recordings: list[str], folder: Path, format: str) -> dict[str, Path]:
    """Recording -> the file for it: its path below the folder that all have in common, the format's ending behind it.

    Args:
        recordings: Paths; of one that is there twice, the file is the same.
        folder: Where the files go.
        format: Key of `ENDINGS`.
    """
    return paths_below(recordings, folder, ENDINGS[format])


def paths_below(recordings: list[str], folder: Path, ending: str) -> dict[str, Path]:
    """As `output_paths`, for files of any ending."""
    absolute = [os.path.abspath(path) for path in recordings]
    if not absolute:
        return {}
    common = os.path.commonpath([os.path.dirname(path) for path in absolute])
    return {recording: folder / (os.path.relpath(path, common) + ending)
            for recording, path in zip(recordings, absolute)}
