"""How far the front end `micro_features` is from the C code that runs on ESPHome's devices (package `pymicro-features`).

    python -m benchmarks.quality.micro_features prepared/wake_words/manifest.jsonl \\
        prepared/speech_commands/manifest.jsonl

Differences over all features of the bundled recordings, and of recordings at even steps of each manifest, in units of the
features, which go from 0 to about 26.
"""

import argparse

import numpy as np
from pymicro_features import MicroFrontend

from benchmarks.quality.parts import evenly, read_part
from speechzoo.exporters.recordings import bundled_recordings
from speechzoo.frontends.micro_features import HOP_LENGTH, SAMPLE_RATE, WINDOW_LENGTH, MicroFeatures
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain


def device_features(audio: np.ndarray) -> np.ndarray:
    """Features (frames, 40) of float32 (samples,) after silence, by the device's code; it is fed 10 ms at a time."""
    samples = np.clip(np.rint(audio * 32768), -32768, 32767).astype(np.int16)
    samples = np.concatenate([np.zeros(WINDOW_LENGTH - HOP_LENGTH, np.int16), samples])
    frontend = MicroFrontend()
    steps = (frontend.process_samples(samples[start:start + HOP_LENGTH].tobytes())
             for start in range(0, len(samples) - HOP_LENGTH + 1, HOP_LENGTH))
    return np.array([step.features for step in steps if step.features])


def compare(name: str, recordings: list[np.ndarray]) -> dict:
    """A row of the table."""
    ours, theirs = [], []
    for audio in recordings:
        ours.append(np.asarray(MicroFeatures()(audio[None])[0])[0])
        theirs.append(device_features(audio))
    ours, theirs = np.concatenate(ours), np.concatenate(theirs)
    difference = np.abs(ours - theirs)
    return {"recordings": name, "frames": len(ours), "mean": theirs.mean(), "mean_difference": difference.mean(),
            "difference_90": np.quantile(difference, 0.9),
            "correlation": np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifests", nargs="*", metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--maximum", type=int, default=60, help="recordings of each manifest, %(default)s")
    add_figures_option(parser, "micro_features")
    arguments = parser.parse_args()
    rows = [compare("bundled", bundled_recordings(SAMPLE_RATE))]
    for manifest in arguments.manifests:
        part = read_part(manifest)
        recordings = [part.audio(utterance, SAMPLE_RATE) for utterance in evenly(part.utterances, arguments.maximum)]
        rows.append(compare(f"{part.name}, {len(recordings)}", recordings))
    print("\n".join(plain("micro_features", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
