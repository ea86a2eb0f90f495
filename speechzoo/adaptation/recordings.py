"""Recordings that have no labels, or whose labels aren't looked at: of a manifest, of a folder, or one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechzoo.audio import AudioError, audio_info, pad_batch
from speechzoo.data.manifest import audio_path, manifest_of, read_manifest, with_absolute_paths
from speechzoo.data.records import RecordError
from speechzoo.data.utterance_audio import read_utterance_audio
from speechzoo.evaluation import make_batches
from speechzoo.transcripts.sources import find_recordings

# Longer ones take memory that grows with the square of their length.
LONGEST_SECONDS = 120.0


@dataclass(frozen=True)
class Recording:
    """One recording.

    Attributes:
        values: Its line of a manifest, with absolute paths.
    """

    values: dict

    @property
    def id(self) -> str:
        """Its name, for reports."""
        return self.values["id"]

    def seconds(self) -> float:
        """Its duration; AudioError where it can't be read."""
        if "duration" in self.values:
            return self.values["duration"]
        if "audio" not in self.values:
            return 0.0  # in a TFRecord, which says when it is read what it lacks
        return max(audio_info(self.values["audio"]).duration - self.values.get("start", 0.0), 0.0)

    def load(self, sample_rate: int) -> np.ndarray:
        """float32 (samples,)."""
        return read_utterance_audio(self.values, "", sample_rate, LONGEST_SECONDS)


def read_recordings(source: str | Path | list, split: str | None = None) -> list[Recording]:
    """The recordings of a manifest (`.jsonl`), of a folder, or of a list of paths of recordings and folders.

    A folder with a `manifest.jsonl`, such as `speechzoo prepare` writes, stands for that.

    Args:
        source: Where they are.
        split: Of a manifest, only the utterances of this split.

    Raises:
        ManifestError: The manifest can't be read.
        ValueError: There are none.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
        manifest = manifest_of(path)
        if manifest.suffix == ".jsonl" and manifest.is_file():
            folder = manifest.parent.resolve()
            found = [Recording(with_absolute_paths(utterance, folder)) for utterance in read_manifest(manifest)
                     if split in (None, utterance.get("split"))]
            if not found:
                raise ValueError(f"{manifest}: no utterance" + (f" of split {split}" if split else ""))
            return found
        if path.suffix == ".jsonl":
            raise ValueError(f"{path}: no such manifest")
    if split is not None:
        raise ValueError(f"{source}: only a manifest (.jsonl) has splits; leave '{split}' out")
    names = [str(name) for name in (source if isinstance(source, (list, tuple)) else [source])]
    return [Recording({"id": name, "audio": str(Path(name).resolve())}) for name in find_recordings(names)]


def batches_of(recordings: list[Recording], sample_rate: int, least: int, skipped: list[str],
               batch_seconds: float = 30.0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Padded batches of recordings of similar length, from short to long.

    Args:
        recordings: Those of `read_recordings`.
        sample_rate: Hz.
        least: Samples that the audio is padded to at least.
        skipped: Receives "id: reason" of those that can't be used, each once however often they are read.
        batch_seconds: Budget of padded audio, seconds.

    Yields:
        Audio float32 (batch, samples), lengths int32 (batch,).
    """
    lost: list[str] = []
    for batch in make_batches(recordings, batch_seconds, LONGEST_SECONDS, lost):
        audio = []
        for recording in batch:
            try:
                audio.append(recording.load(sample_rate))
            except (AudioError, RecordError, OSError) as error:
                lost.append(f"{recording.id}: {error}")
        if audio:
            yield pad_batch(audio, least)
    skipped += [line for line in lost if line not in skipped]


def written_beside(recording: Recording, manifest: Path) -> dict:
    """The utterance as a manifest in another place says it: paths relative to its folder where they lie below it."""
    folder, values = manifest.resolve().parent, dict(recording.values)

    def shorten(path):
        return str(Path(path).relative_to(folder)) if Path(path).is_relative_to(folder) else str(path)

    if "audio" in values:
        values["audio"] = shorten(audio_path(manifest, values))
    if "record" in values:
        values["record"] = {**values["record"], "shard": shorten(values["record"]["shard"])}
    return values
