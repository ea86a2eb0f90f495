"""What every exported format costs and gives: each head's figures, size, speed and memory.

    python -m benchmarks.quality.quantization --data PREPARED --runs RUNS

exports every model that has a checkpoint, but for those of ESPHome's devices, in every format, measures the files on the
dev parts of the model's corpora, and prints the tables of docs/quantization.md. Of each corpus the same
utterances are taken for all formats, at even steps; files are calibrated with training recordings. What has its file in
RUNS is not done again: stop at any time, and start the same command to go on. Models that are not measured keep the figures
that they have.
"""

import argparse
import dataclasses
import json
import math
import sys
import tempfile
import time
from pathlib import Path

from tools.figures import add_figures_option, kept_rows, write_figures
from tools.tables.quantization import CALIBRATED_FORMAT, CALIBRATIONS, FORMATS, METRICS, sections, shown

CALIBRATION = 40  # utterances of each training source to choose from
LATENCY_SECONDS = 3.0
# The model of which the whole body has calibrated ranges: it is calibrated with other recordings, too.
CALIBRATED = "mtl_ds_cnn_micro"


def take(source, folder: Path, name: str, count: int | None = None, seconds: float = float("inf")):
    """The source with at most so many utterances and about so much audio, at even steps, in a manifest of its own."""
    from benchmarks.quality.parts import write_source

    from speechzoo.data.manifest import read_manifest

    utterances = [utterance for utterance in read_manifest(source.manifest)
                  if source.split in (None, utterance.get("split"))]
    total = sum(utterance["duration"] for utterance in utterances)
    utterances = utterances[::max(1, math.ceil(total / seconds), math.ceil(len(utterances) / (count or math.inf)))]
    return write_source(source, utterances, folder / f"{name}.jsonl")


def calibration_manifest(config, data: Path, folder: Path) -> Path:
    """A manifest of utterances of all training sources."""
    from speechzoo.data.manifest import read_manifest, write_manifest

    utterances = []
    for number, source in enumerate(config.data.train):
        source = dataclasses.replace(source, manifest=str(data / source.manifest))
        utterances += read_manifest(take(source, folder, f"train_{number}", count=CALIBRATION).manifest)
    write_manifest(folder / "train.jsonl", utterances)
    return folder / "train.jsonl"


def recordings_of(calibration: str, manifest: Path, sample_rate: int):
    """What `speechzoo.export` takes as `representative`."""
    import numpy as np

    from speechzoo.data.manifest import read_manifest
    from speechzoo.data.mixing import mix_at_snr
    from speechzoo.data.utterance_audio import read_utterance_audio
    from speechzoo.exporters.recordings import MAXIMUM_RECORDINGS, MAXIMUM_SECONDS, read_recordings

    if calibration in ("chosen", "bundled"):
        return manifest if calibration == "chosen" else None
    if calibration == "even":
        utterances = read_manifest(manifest)
        steps, longest = np.linspace(0, len(utterances) - 1, MAXIMUM_RECORDINGS), round(MAXIMUM_SECONDS * sample_rate)
        return [read_utterance_audio(utterances[int(step)], manifest.parent, sample_rate)[:longest] for step in steps]
    chosen = read_recordings(manifest, sample_rate)
    noise = np.random.default_rng(1).standard_normal(10 * sample_rate).astype(np.float32)
    noisy = [mix_at_snr(audio, noise, 5.0) for audio in chosen[1::2]]
    return chosen + [0.1 * audio for audio in chosen[::2]] + noisy


def measure(name: str, format: str, calibration: str, data: Path, seconds: float, files: Path) -> dict:
    """One row: exports a model in one format, and measures the file."""
    import speechzoo
    from speechzoo.evaluation import evaluate
    from speechzoo.profiling.latency import benchmark

    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        model = speechzoo.load(name)
        quantize, _, quantizer = format.partition(", ")
        folder = files / calibration / quantizer
        path = folder / f"{name}{'' if quantize == 'none' else f'_{quantize}'}.tflite"
        if not path.is_file():
            manifest = calibration_manifest(model.zoo_config, data, scratch)
            speechzoo.export(model, folder, "tflite", quantize,
                             recordings_of(calibration, manifest, model.zoo_config.sample_rate),
                             quantizer=quantizer or "tensorflow")
        sources = [take(source, scratch, f"dev_{number}", seconds=seconds)
                   for number, source in enumerate(model.zoo_config.dev_sources(data))]
        figures = evaluate(str(path), sources)["overall"]
    timing, = benchmark(path, [LATENCY_SECONDS], [1], repeats=5).timings
    return {"model": name, "format": format, "calibration": calibration, "seconds": seconds,
            "file": str(path.resolve()), "size_mb": path.stat().st_size / 1e6, "peak_memory_mb": timing.peak_memory_mb,
            "heads": {head: {metric: values[metric] for metric in (*METRICS, "n") if metric in values}
                      for head, values in figures.items()}}


def latencies(rows: dict[str, dict], repeats: int = 20) -> dict[str, float]:
    """Format -> median processor time of one utterance on one thread, milliseconds.

    The formats take turns, so that whatever else the machine does touches all of them.
    """
    import numpy as np

    from speechzoo.edge.edge_model import EdgeModel

    models, times = {name: EdgeModel(row["file"]) for name, row in rows.items()}, {name: [] for name in rows}
    for _ in range(repeats + 2):
        for name, model in models.items():
            audio = 0.1 * np.random.default_rng(1).standard_normal(round(LATENCY_SECONDS * model.spec["sample_rate"]))
            started = time.process_time()
            model.batch_outputs([audio])
            times[name].append(time.process_time() - started)
    return {name: 1e3 * float(np.median(values[2:])) for name, values in times.items()}


# -- the figures -------------------------------------------------------------------------------------------------------


def head_rows(results: list[dict]) -> list[dict]:
    """A row per file, head and metric."""
    return [{"model": result["model"], "format": result["format"], "calibration": result["calibration"], "head": head,
             "metric": metric, "n": figures["n"], "value": figures[metric]}
            for result in results for head, figures in result["heads"].items() for metric in shown(figures)]


def cost_rows(results: list[dict]) -> list[dict]:
    """A row per file with the recordings that are chosen by default: its size, latency and memory."""
    rows = []
    for model in sorted({result["model"] for result in results}):
        own = {result["format"]: result for result in results
               if (result["model"], result["calibration"]) == (model, "chosen")}
        times = latencies(own)
        rows += [{"model": model, "format": name, "megabytes": own[name]["size_mb"], "latency_ms": times[name],
                  "peak_memory_mb": own[name]["peak_memory_mb"]} for name in FORMATS if name in own]
    return rows


def with_others(path: Path, rows: list[dict]) -> list[dict]:
    """The rows, with those that the file has of other models, model by model."""
    return sorted(kept_rows(path, rows, "model") + rows, key=lambda row: row["model"])


# -- the command -------------------------------------------------------------------------------------------------------


def main(arguments):
    """Measures what is missing, prints the tables and writes the figures; costs go to a file of their own beside them."""
    from speechzoo.config import load_config
    from speechzoo.files import write_atomically
    from speechzoo.registry import describe, list_models

    arguments.runs.mkdir(parents=True, exist_ok=True)
    # What stands behind a device's own front end has one format, that device's (docs/micro.md).
    names = arguments.models or [name for name in list_models() if describe(name).metrics
                                 and load_config(name).frontend.type != "micro_features"]
    for name in names:
        plan = [(format, "chosen") for format in FORMATS]
        if name == CALIBRATED:
            plan += [(CALIBRATED_FORMAT, calibration) for calibration in CALIBRATIONS if calibration != "chosen"]
        for format, calibration in plan:
            place = arguments.runs / f"{name}-{format.replace(', ', '-')}-{calibration}.json"
            if not place.is_file():
                print(f"{name}, {format}, {calibration}", flush=True)
                row = measure(name, format, calibration, arguments.data, arguments.seconds, arguments.runs)
                write_atomically(place, (json.dumps(row, indent=1) + "\n").encode())
    results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(arguments.runs.glob("*.json"))]
    if {result["seconds"] for result in results} != {arguments.seconds}:
        raise ValueError(f"{arguments.runs}: made with other --seconds; take another --runs")
    write_figures(arguments.figures, with_others(arguments.figures, head_rows(results)))
    costs = arguments.figures.with_name("quantization_costs.csv")
    write_figures(costs, with_others(costs, cost_rows(results)))
    print("\n".join(sections(arguments.figures.parent)))


def parse_arguments(argv: list[str] | None = None):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the files and results, one a format")
    parser.add_argument("--seconds", type=float, default=600, help="audio of each dev corpus (%(default)s)")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="only these models of the zoo")
    add_figures_option(parser, "quantization")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(parse_arguments()))
