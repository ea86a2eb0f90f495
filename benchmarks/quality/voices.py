"""How well models tell voices apart: the equal error rate over all trials among dev recordings, corpus by corpus.

    python -m benchmarks.quality.voices mtl_whisper_tiny imported/speaker_ge2e --together --data PREPARED

`--together` measures each two of the models together, too: the mean of their cosines, which is the cosine of their
embeddings of length one side by side.
The recordings are those of the dev sources of `mtl_whisper_tiny` that are labelled with who speaks: sentences of
LibriSpeech and speechocean762, single words of Speech Commands. As in `benchmarks.quality.compare` every figure is
there twice: of all dev speakers, and of those that no checkpoint of this zoo has heard. The file of the figures is
written after each corpus.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np

from benchmarks.quality.compare import FORMER_PART, is_heard
from benchmarks.quality.parts import Part, read_part
from speechzoo.decoding.heads import find_heads
from speechzoo.metrics.verification import eer_interval, equal_error_rate, rates_from_counts, trial_counts
from speechzoo.opening import open_model
from speechzoo.registry import load
from tools.figures import add_figures_option, write_figures
from tools.tables.compare import ALL, UNHEARD

SOURCES = {"speech_commands": ["speech_commands/manifest.jsonl:validation"],
           "speechocean762": ["speechocean762/manifest.jsonl:dev"],
           "librispeech": [f"librispeech{part}/manifest.jsonl:dev" for part in ("", "_more", "_speakers")]}
ROWS = 32  # recordings of a batch


def open_speaker(name: str):
    """A model with no more than its speaker head, and what stands before that."""
    model = open_model(name)
    return model if name.endswith(".tflite") else load(name, heads=find_heads(model.spec, type="speaker")[:1])


def embeddings(model, parts: list[Part]) -> tuple[np.ndarray, list[dict]]:
    """Of all recordings of which it is known who speaks: of length one (recordings, size), and their utterances."""
    head, vectors, spoken = find_heads(model.spec, type="speaker")[0], [], []
    for part in parts:
        # By length, so that there is little padding in a batch.
        utterances = sorted((item for item in part.utterances if "speaker" in item), key=lambda item: item["duration"])
        for first in range(0, len(utterances), ROWS):
            batch = utterances[first:first + ROWS]
            outputs = model.batch_outputs([part.audio(item, model.spec["sample_rate"]) for item in batch], [head])
            vectors += [output[head] / np.linalg.norm(output[head]) for output in outputs]
            spoken += batch
    return np.array(vectors), spoken


def figures_of(name: str, corpus: str, vectors: np.ndarray, spoken: list[dict]) -> list[dict]:
    """A row for all speakers of a corpus, and one for those that no earlier checkpoint has heard."""
    rows = []
    for speakers in (ALL, UNHEARD):
        kept = [number for number, item in enumerate(spoken) if speakers == ALL or not is_heard(item, FORMER_PART)]
        people = [spoken[number]["speaker"] for number in kept]
        eer = equal_error_rate(*rates_from_counts(*trial_counts(vectors[kept], people)))
        low, high = eer_interval(vectors[kept], people)
        rows.append({"model": name, "corpus": corpus, "speakers": speakers, "voices": len(set(people)), "n": len(kept),
                     "eer": eer, "low": low, "high": high})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--data", type=Path, required=True, metavar="PREPARED")
    parser.add_argument("--corpora", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--together", action="store_true", help="each two of the models together, too")
    add_figures_option(parser, "voices")
    arguments = parser.parse_args()
    models, rows = {Path(name).name: open_speaker(name) for name in arguments.models}, []
    for corpus in arguments.corpora:
        parts = [read_part(str(arguments.data / source)) for source in SOURCES[corpus]]
        found = {}
        for name, model in models.items():
            found[name], spoken = embeddings(model, parts)
        for pair in itertools.combinations(models, 2) if arguments.together else ():
            found[" + ".join(pair)] = np.concatenate([found[name] for name in pair], axis=1)
        for name, vectors in found.items():
            rows += figures_of(name, corpus, vectors, spoken)
            print(*rows[-2:], sep="\n", flush=True)
        write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
