"""A folder of manifest and TFRecord shards while it is being written, so that a killed run goes on where it was."""

import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from speechzoo.data.manifest import MANIFEST, write_manifest
from speechzoo.data.records import RecordWriter, encode_example, read_record
from speechzoo.files import write_atomically

SKIPPED = "skipped.jsonl"
_PARTIAL = ".partial"


class ShardFolder:
    """Writes shards in `out/.partial`; `publish` moves them to their place, the manifest last.

    Args:
        out: The folder.
        command: Name of the command that writes, for messages.

    Attributes:
        shards: Index of every shard so far: its `utterances` (with `record`) and `skipped`.

    Raises:
        ValueError: `out` is a file, or holds a manifest that nothing of ours wrote.
    """

    def __init__(self, out: str | Path, command: str):
        self.out, self.shards = Path(out), []
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"{out}: is a file; give a folder to write to")
        if (self.out / MANIFEST).exists() and not any(self.out.glob("audio-*.tfrecord")):
            raise ValueError(f"{self.out / MANIFEST}: wasn't written by {command} and would be replaced; "
                             "give another folder to write to")

    def add(self, fingerprint: str, results: Iterable[tuple[dict, bytes | None, str | None]],
            on_progress: Callable[[int], None] | None = None) -> dict:
        """Writes the next shard, unless an earlier run completed it from the same things.

        Args:
            fingerprint: Says from what; another fingerprint writes the shard again.
            results: What the shard holds: (utterance, FLAC bytes, None), or (utterance, None, why it is left out). Not
                looked at when the shard is there already, so it should be lazy.
            on_progress: Called now and then with the number of results written.

        Returns:
            The shard's index.

        Raises:
            OSError: The disk is full or can't be written; shards that are complete stay for the next run.
        """
        partial, name = self.out / _PARTIAL, f"shard-{len(self.shards):05d}"
        partial.mkdir(parents=True, exist_ok=True)
        index = _finished(partial, name, fingerprint)
        if index is None:
            index = {"fingerprint": fingerprint, "utterances": [], "skipped": []}
            with RecordWriter(partial / f"{name}.tfrecord") as writer:
                for done, (utterance, audio, problem) in enumerate(results, 1):
                    if problem:
                        index["skipped"].append({"id": utterance["id"], "audio": utterance.get("audio"),
                                                 "reason": problem})
                    else:
                        line = json.dumps(utterance, ensure_ascii=False)
                        place = writer.write(encode_example({"audio": audio, "utterance": line.encode()}))
                        record = dict(zip(("shard", "offset", "length"), (name, *place)))
                        index["utterances"].append({**utterance, "record": record})
                    if on_progress and done % 16 == 0:
                        on_progress(done)
            # Written last: it says that the shard is complete.
            write_atomically(partial / f"{name}.json", json.dumps(index, ensure_ascii=False).encode())
        self.shards.append(index)
        return index

    def publish(self) -> list[dict]:
        """Moves the shards to their place and writes the manifest; returns its utterances.

        An older manifest goes first and the new one comes last: it never describes other shards.
        """
        partial, names, utterances = self.out / _PARTIAL, [], []
        kept = [(f"shard-{number:05d}", shard) for number, shard in enumerate(self.shards) if shard["utterances"]]
        (self.out / MANIFEST).unlink(missing_ok=True)
        for number, (name, shard) in enumerate(kept):
            names.append(f"audio-{number:05d}-of-{len(kept):05d}.tfrecord")
            os.replace(partial / f"{name}.tfrecord", self.out / names[-1])
            for utterance in shard["utterances"]:
                utterances.append({**utterance, "record": {**utterance["record"], "shard": names[-1]}})
        skipped = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in self.skipped)
        write_atomically(self.out / SKIPPED, skipped.encode())
        for path in self.out.glob("audio-*-of-*.tfrecord"):
            if path.name not in names:  # of an earlier run with more shards
                path.unlink()
        write_manifest(self.out / MANIFEST, utterances)
        shutil.rmtree(partial)
        return utterances

    @property
    def skipped(self) -> list[dict]:
        """What was left out, as `skipped.jsonl` lists it."""
        return [item for shard in self.shards for item in shard["skipped"]]


def _finished(partial, name, fingerprint) -> dict | None:
    """The index of a shard that an earlier run completed from the same things, else None."""
    try:
        index = json.loads((partial / f"{name}.json").read_text(encoding="utf-8"))
        if index["fingerprint"] != fingerprint:
            return None
        for utterance in index["utterances"]:
            record = utterance["record"]
            read_record(partial / f"{name}.tfrecord", record["offset"], record["length"], verify=True)
        return index
    except (OSError, ValueError, KeyError, TypeError):  # absent, cut off or damaged
        return None
