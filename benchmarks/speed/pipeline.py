"""Seconds of audio that the data pipeline prepares per second and core, by stage, and its peak memory.

    python -m benchmarks.speed.pipeline                       # on synthetic recordings made on the spot
    python -m benchmarks.speed.pipeline --manifest M.jsonl ... --noises N.jsonl

Rates count processor time, not time on the clock, so that a busy machine gives the same figures: seconds of audio per
second of processor time is what one core achieves. The stages are timed alone on one thread; `pipeline` rows are whole
tf.data pipelines on all cores that the process may use, and also say how much was delivered per second on the clock.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import tensorflow as tf

from speechzoo.audio import encode_flac
from speechzoo.config import AugmentConfig, DataConfig, RangeConfig, SourceConfig
from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.augment import Augmenter
from speechzoo.data.augment_graph import GraphAugmenter
from speechzoo.data.batching import BatchPlan
from speechzoo.data.feed import make_feed
from speechzoo.data.manifest import write_manifest
from speechzoo.data.pipeline import make_dataset
from speechzoo.data.records import RecordWriter, encode_example
from speechzoo.data.workers import available_cores
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain


class Words:
    """Transcripts as code points: a label costs next to nothing here."""

    label, target_shape, target_dtype = "transcript", (None,), "int32"

    def encode(self, value):
        return np.array([ord(letter) for letter in value], np.int32)


def synthetic_corpus(folder: Path, seconds: float) -> tuple[Path, Path]:
    """A shard of speech-like noise, clips of 1 to 15 s, and noises; returns both manifests."""
    random = np.random.default_rng(0)
    utterances, total = [], 0.0
    with RecordWriter(folder / "shard.tfrecord") as shard:
        while total < seconds:
            duration = round(float(random.choice([1.0, random.uniform(2, 15)])), 2)
            smooth = np.convolve(random.standard_normal(int(duration * 16000)), np.hanning(16) / 16, "same")
            syllables = 1 + np.sin(2 * np.pi * 4 * np.arange(len(smooth)) / 16000)
            audio = encode_flac((0.1 * smooth * syllables).astype(np.float32))
            offset, length = shard.write(encode_example({"audio": audio, "utterance": b"{}"}))
            record = {"shard": "shard.tfrecord", "offset": offset, "length": length}
            utterances.append({"id": f"u{len(utterances)}", "duration": duration, "record": record,
                               "transcript": "a" * int(duration * 10)})
            total += duration
    write_manifest(folder / "train.jsonl", utterances)
    (folder / "noise.flac").write_bytes(encode_flac((0.1 * random.standard_normal(16000 * 240)).astype(np.float32)))
    write_manifest(folder / "noises.jsonl", [{"audio": "noise.flac"}])
    return folder / "train.jsonl", folder / "noises.jsonl"


def augmentation(noises: Path, probability: float = 1.0, only: str | None = None) -> AugmentConfig:
    """Every augmentation, or one of them, with the same probability."""
    bounds = {"speed": (0.9, 1.1), "reverberation": (0.15, 0.6), "noise": (0, 20), "device": (1, 5),
              "gain": (-10, 6), "band_limit": (3000, 7000), "shift": (-0.1, 0.1), "silence": (0.1, 2)}
    chosen = {name: RangeConfig(probability, *edges) for name, edges in bounds.items() if only in (None, name)}
    return AugmentConfig(noise_manifest=str(noises.resolve()), **chosen)


def measure(action, seconds: float) -> tuple[float, float]:
    """(seconds of audio per second of processor time, per second on the clock) of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    action()
    return seconds / (time.process_time() - processor), seconds / (time.perf_counter() - wall)


def stages(plan: BatchPlan, noises: Path, budget: float) -> dict[str, float]:
    """Seconds of audio per second of one core, of each stage alone."""
    reader, indices, total = AudioReader(plan.examples), [], 0.0
    for index in np.random.default_rng(0).permutation(len(plan.examples)):
        if total > budget:
            break
        indices.append(int(index))
        total += plan.examples.seconds[index]
    results = {"read": measure(lambda: [reader.read_bytes(index) for index in indices], total)[0],
               "read + decode": measure(lambda: [reader.read(index) for index in indices], total)[0]}
    audio = [reader.read(index) for index in indices]
    for name in ("silence", "speed", "reverberation", "noise", "device", "gain", "band_limit", "shift", None):
        augmenter = Augmenter(augmentation(noises, only=name), seed=1)
        speeds = np.full(len(audio), 0.93 if name in ("speed", None) else 1.0, np.float32)
        silences = np.full(len(audio), 1.0 if name in ("silence", None) else 0.0, np.float32)
        numbers = augmenter.draw(0, 0, speeds, silences)
        signature = [tf.TensorSpec([None]), tf.TensorSpec(numbers.shape[1:])]
        graph = tf.function(GraphAugmenter(augmenter), input_signature=signature)
        graph(audio[0], numbers[0])

        def apply_in_graph(graph=graph, numbers=numbers):
            return [graph(samples, row) for samples, row in zip(audio, numbers)]

        def apply_in_numpy(augmenter=augmenter, numbers=numbers):
            return [augmenter(samples, row) for samples, row in zip(audio, numbers)]

        label = name or "all augmentations"
        results[f"{label} (graph)"] = measure(apply_in_graph, total)[0]
        results[f"{label} (NumPy)"] = measure(apply_in_numpy, total)[0]
    return results


def pipelines(config: DataConfig, noises: Path, budget: float) -> dict[str, dict[str, float]]:
    """Whole pipelines: rates per core and on the clock."""
    results = {}
    for label, probability, make, options in (
            ("no augmentation", 0.0, make_dataset, {}),
            ("no augmentation, decoded in the graph", 0.0, make_dataset, {"decoder": "graph"}),
            ("half of all augmentations", 0.5, make_dataset, {}), ("all augmentations", 1.0, make_dataset, {}),
            ("NumPy feed, no augmentation", 0.0, make_feed, {}), ("NumPy feed, all augmentations", 1.0, make_feed, {})):
        config.augment = augmentation(noises, probability)
        plan = BatchPlan(config.train, config, {"transcript": Words()}, seed=1)
        batches = make(plan, 0, 0, Augmenter(config.augment, seed=1), **options)
        count, total = 0, 0.0
        for batch in plan.epoch(0):
            count, total = count + 1, total + plan.examples.seconds[batch.indices].sum()
            if total > budget:
                break

        if isinstance(batches, tf.data.Dataset):
            next(iter(batches))  # traces the graph

        def deliver(batches=batches, count=count):
            iterator = iter(batches.take(count) if isinstance(batches, tf.data.Dataset) else batches)
            for _ in range(count):
                next(iterator)

        core, clock = measure(deliver, float(total))
        results[label] = {"per core": core, "on the clock": clock}
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--manifest", type=Path, nargs="+", help="utterances; synthetic ones when absent")
    parser.add_argument("--noises", type=Path, help="manifest of noises; synthetic ones when absent")
    parser.add_argument("--seconds", type=float, default=1000.0, help="seconds of audio that each row is measured on")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    add_figures_option(parser, "pipeline")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        manifest, noises = synthetic_corpus(Path(folder), 0.0 if arguments.manifest else arguments.seconds)
        manifests, noises = arguments.manifest or [manifest], arguments.noises or noises
        config = DataConfig(train=[SourceConfig(str(path.resolve())) for path in manifests])
        plan = BatchPlan(config.train, config, {"transcript": Words()}, seed=1)
        print(f"{', '.join(map(str, manifests))}: {len(plan.examples)} utterances, "
              f"{plan.examples.seconds.sum() / 3600:.2f} h, {available_cores()} cores; "
              f"TensorFlow {tf.__version__}")
        results = {"pipelines": pipelines(config, noises, arguments.seconds)}
        results["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        results["stages"] = stages(plan, noises, arguments.seconds)
    rows = [{"stage": stage, "per_core": rates["per core"], "on_the_clock": rates["on the clock"],
             "peak_mebibytes": results["peak_memory_mib"]} for stage, rates in results["pipelines"].items()]
    rows += [{"stage": stage, "per_core": rate, "on_the_clock": None, "peak_mebibytes": None}
             for stage, rate in results["stages"].items()]
    print("\n".join(plain("pipeline", rows)))
    write_figures(arguments.figures, rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
