"""Cuts a short piece out of each aligned sentence, so that voices are learnt from a word as well as from a sentence.

    python examples/pieces_of_sentences.py prepared/librispeech/manifest.jsonl --out pieces/manifest.jsonl
    speechzoo prepare manifest --source pieces/manifest.jsonl --out prepared/pieces

Each utterance written is a piece (`start`, `duration`) of the original recording of a sentence: 0.5 to 3 s, short ones as often as long ones, which
begins and ends between phones and is at least four fifths speech. What is known of the sentence's speaker stays; what was said doesn't.
Their corpus is another one, `librispeech_pieces`, so that figures tell pieces from sentences.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speechzoo.data.manifest import audio_path, read_manifest, write_manifest

KEPT = ("subset", "split", "speaker", "gender", "age", "age_group", "language")
SHORTEST, LONGEST = 0.5, 3.0  # seconds
SPEECH = 0.8  # smallest share of a piece


def cut(alignment: list[list], generator: np.random.Generator) -> tuple[float, float] | None:
    """Start and end of a piece in seconds, the duration uniform in its logarithm; None where nothing fits.

    Args:
        alignment: [phone, end in seconds] pairs; "SIL" is silence.
        generator: Draws the duration and the start.
    """
    target = np.exp(generator.uniform(np.log(SHORTEST), np.log(LONGEST)))
    ends = np.array([end for _, end in alignment])
    starts = np.concatenate([[0.0], ends[:-1]])
    spoken = np.array([phone != "SIL" for phone, _ in alignment])
    # Seconds of speech up to each end, and before each start.
    speech = np.cumsum((ends - starts) * spoken)
    before = speech - (ends - starts) * spoken
    fitting = []
    for first in np.flatnonzero(spoken):
        last = int(np.argmin(np.abs(ends - starts[first] - target)))
        seconds = ends[last] - starts[first]
        if SHORTEST <= seconds <= LONGEST and speech[last] - before[first] >= SPEECH * seconds:
            fitting.append((float(starts[first]), float(ends[last])))
    return fitting[generator.integers(len(fitting))] if fitting else None


def pieces(manifest: Path, seed: int, folder: Path) -> Iterator[dict]:
    """One piece of each aligned sentence of a manifest as an utterance, whose audio is relative to `folder`."""
    generator = np.random.default_rng(seed)
    for utterance in read_manifest(manifest):
        piece = cut(utterance["alignment"], generator) if "audio" in utterance and utterance.get("alignment") else None
        if piece is None:
            continue
        audio = utterance["audio"]
        if not os.path.isabs(audio):
            audio = os.path.relpath(audio_path(manifest, utterance).resolve(), folder.resolve())
        start, end = piece
        yield {"id": f"{utterance['id']}/piece@{start:.2f}", "audio": audio,
               "start": round(utterance.get("start", 0.0) + start, 6), "duration": round(end - start, 6),
               **({"corpus": f"{utterance['corpus']}_pieces"} if "corpus" in utterance else {}),
               **{field: utterance[field] for field in KEPT if field in utterance}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="sentences with `alignment`, as `speechzoo align` writes it")
    parser.add_argument("--out", type=Path, required=True, help="manifest to write")
    parser.add_argument("--seed", type=int, default=1, help="another one cuts other pieces, %(default)s")
    arguments = parser.parse_args()
    found = list(pieces(arguments.manifest, arguments.seed, arguments.out.parent))
    write_manifest(arguments.out, found)
    durations = sorted(piece["duration"] for piece in found)
    middle = f", {durations[0]:.2f} to {durations[-1]:.2f} s, median {durations[len(durations) // 2]:.2f} s" if durations else ""
    print(f"{len(durations)} pieces{middle}")


if __name__ == "__main__":
    main()
