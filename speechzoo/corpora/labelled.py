"""Recordings of one's own with a label: from a manifest, a prepared folder, or a folder with one folder per class."""

from pathlib import Path

from speechzoo.corpora import make_reader
from speechzoo.data.manifest import manifest_of, read_manifest, with_absolute_paths


def read_labelled(data: str | Path, label: str) -> tuple[list[dict], int]:
    """The utterances that have a label, with absolute paths, and how many recordings were left out.

    Args:
        data: Manifest (JSONL), folder that holds `manifest.jsonl`, or folder whose folders are called as what is heard.
        label: Field of an utterance, or what the folders' names are.

    Raises:
        CorpusError, ManifestError: The data can't be read.
    """
    path, manifest = Path(data), manifest_of(data)
    if manifest.is_file() or not path.is_dir():
        found, folder = read_manifest(manifest), manifest.parent
    else:
        found, folder = list(make_reader("folder", label=label).read(path)), path
    kept = [with_absolute_paths({key: value for key, value in utterance.items() if not key.startswith("_")},
                                folder.resolve())
            for utterance in found if label in utterance and "_skip" not in utterance]
    return kept, len(found) - len(kept)
