"""A finished training run -> the checkpoint that the package ships: weights, golden outputs and figures.

(`speechzoo publish` gives a model to others, on the hub or in a folder.)

    python -m tools.publish RUN NAME --data PREPARED

writes speechzoo/checkpoints/NAME/: model.weights.h5 (float16), golden.npz (the outputs for one stored input) and
metrics.json (what it was trained on, by which command, its licence, and the figures of the stored weights on the dev sources
of the zoo's config), and origin.json when the run began from published weights.
What a head gets under half of right it doesn't answer: `python -m tools.publish --classes NAME --data PREPARED` measures that of a
checkpoint that is there, and `benchmarks/quality/wake_word.py --tune` which words wake.
The card.md and lineage.md beside them are written by hand; the card's tables of figures by `python -m tools.pages`, which
tools/tables/checkpoint.py tells what to show.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from speechzoo.config import load_config
from speechzoo.data.manifest import read_manifest
from speechzoo.evaluation import evaluate
from speechzoo.exporters.recordings import bundled_recordings
from speechzoo.heads.classifier import ClassifierHead
from speechzoo.multitask.macs import count_macs
from speechzoo.origin import ORIGIN, Origin, read_origin
from speechzoo.registry import METRICS, WEIGHTS, find_weights, load, weak_classes_of
from speechzoo.training.run_log import read_log
from speechzoo.weights import load_weights, read_arrays, save_weights, sha256_of, write_arrays, write_atomically

LICENCE = "Apache-2.0"
"""Of weights that were trained from random values: this project's."""
CHECKPOINTS = Path(__file__).resolve().parents[1] / "speechzoo" / "checkpoints"


def publish(run: Path, name: str, data: Path, command: str | None = None) -> dict:
    """Writes the checkpoint of `name` from the training run in folder `run` and returns its metrics."""
    folder = CHECKPOINTS / name
    folder.mkdir(parents=True, exist_ok=True)
    trained = load(run)
    save_weights(trained, folder / WEIGHTS, dtype="float16")
    model = load(name, weights=None)  # the zoo's config must build what the run trained
    load_weights(model, folder / WEIGHTS)
    np.savez_compressed(folder / "golden.npz", **golden(model))
    origin = publish_origin(run, folder)
    config = load_config(run / "config.yaml")
    steps = read_log(run / "log.jsonl")[-1]["step"]
    metrics = {
        "name": name,
        "weights": {"file": WEIGHTS, "dtype": "float16", "sha256": sha256_of(folder / WEIGHTS),
                    "bytes": (folder / WEIGHTS).stat().st_size},
        **origin.summary(),
        "parameters": model.count_params(),
        "macs_per_second": count_macs(model),
        "training": {"command": command or f"speechzoo train {name} data.root=PREPARED --out RUN",
                     "seed": config.training.seed, "steps": steps, "epochs": config.training.epochs,
                     "data": [describe_source(source, data) for source in config.data.train]},
        "evaluation": f"speechzoo evaluate {name} --dev PREPARED",
        "results": without_confusions(evaluate(model, model.zoo_config.dev_sources(data), confusions=True)),
    }
    write_atomically(folder / METRICS, (json.dumps(metrics, indent=1) + "\n").encode())
    return mark_weak(name, metrics["results"]["overall"])


def measure_classes(name: str, data: Path) -> dict:
    """Measures how often each class of a checkpoint's classifiers is right, and marks those that are weak."""
    model = load(name)
    heads = [head for head, layer in model.heads.items() if isinstance(layer, ClassifierHead)]
    results = evaluate(model, model.zoo_config.dev_sources(data), heads, confusions=True)
    return mark_weak(name, without_confusions(results)["overall"])


def without_confusions(results: dict) -> dict:
    """Results with the figures of each class of all corpora together, and no tables of classes against classes."""
    for corpus, heads in results.items():
        for scores in heads.values() if not corpus.startswith("_") else ():
            scores.pop("confusions", None)
            if corpus != "overall":
                scores.pop("classes", None)
    return results


def mark_weak(name: str, overall: dict) -> dict:
    """Writes each class's figures, and into the weights of each classifier which classes it doesn't answer.

    Args:
        name: Of the zoo model.
        overall: Head -> figures, with `classes`.

    Returns:
        Its metrics.
    """
    path = CHECKPOINTS / name / METRICS
    metrics = json.loads(path.read_text(encoding="utf-8"))
    weak = {}
    for head, layer in load(name).heads.items():
        if isinstance(layer, ClassifierHead) and "classes" in overall.get(head, {}):
            metrics["results"]["overall"][head]["classes"] = overall[head]["classes"]
            weak[layer.weak.path] = np.isin(layer.classes, weak_classes_of(overall[head])).astype(np.float32)
    write_atomically(path, (json.dumps(metrics, indent=1) + "\n").encode())
    write_measured(CHECKPOINTS / name / WEIGHTS, weak)
    return json.loads(path.read_text(encoding="utf-8"))


def publish_origin(run: Path, folder: Path) -> Origin:
    """The origin of a run's weights, which goes into the checkpoint's folder where they derive from published ones.

    Raises:
        ValueError: The checkpoint's weights derived from published ones so far, and the run doesn't say that it does.
    """
    origin = read_origin(run)
    if not origin.licence:
        if (folder / ORIGIN).exists():
            raise ValueError(f"{folder}: derives from published weights, and {run} has no {ORIGIN}; put that of the "
                             f"weights that it began from there, or delete {folder / ORIGIN} where they are all new")
        return Origin(LICENCE)
    write_atomically(folder / ORIGIN, (run / ORIGIN).read_bytes())
    return origin


def golden(model) -> dict[str, np.ndarray]:
    """One bundled recording and the model's outputs for it."""
    audio = bundled_recordings(model.frontend.sample_rate)[0][:3 * model.frontend.sample_rate]
    return {"audio": audio, **{f"output/{name}": output for name, output in model.batch_outputs([audio])[0].items()}}


def write_wake_thresholds(source: str, thresholds: dict[str, float | None]):
    """Writes what was measured of wake words into a weights file, all else of which stays as it is.

    Args:
        source: Name of a zoo model, whose `metrics.json` knows the new file afterwards, or folder of a training run.
        thresholds: Word -> mean posterior that wakes; None for one that is not offered for waking.
    """
    model, path = load(source), find_weights(source)
    head, = (head for head in model.heads.values() if head.label == "keyword")
    doubts = np.array(head.wake_doubts)
    for word, threshold in thresholds.items():
        doubts[head.classes.index(word)] = -1.0 if threshold is None else 1 - threshold
    write_measured(path, {head.wake_doubts.path: doubts}, wake_words=thresholds)


def write_measured(path: Path, measured: dict[str, np.ndarray], **more):
    """Changes some weights of a file, and what a checkpoint's `metrics.json` says of it; `more` is added there."""
    arrays = read_arrays(path)
    halves = all(array.dtype == np.float16 for array in arrays.values() if array.dtype.kind == "f")
    write_arrays(path, {**arrays, **measured}, "float16" if halves else "float32")
    if path.parent.parent == CHECKPOINTS:
        metrics = json.loads((path.parent / METRICS).read_text(encoding="utf-8"))
        metrics["weights"] |= {"sha256": sha256_of(path), "bytes": path.stat().st_size}
        write_atomically(path.parent / METRICS, json.dumps(metrics).encode())  # for whoever loads the file from here on
        metrics["parameters"] = load(path.parent.name).count_params()
        metrics |= more
        write_atomically(path.parent / METRICS, (json.dumps(metrics, indent=1) + "\n").encode())


def describe_source(source, data: Path) -> dict:
    """Which utterances a training source holds: counts, hours and the hash of its manifest."""
    path = data / source.manifest
    utterances = [item for item in read_manifest(path) if source.split in (None, item.get("split"))]
    return {"manifest": source.manifest, "split": source.split, "sha256": sha256_of(path), "utterances": len(utterances),
            "hours": round(sum(item["duration"] for item in utterances) / 3600, 2)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", help="folder of the training run")
    parser.add_argument("name", help="name of the zoo model")
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--command", help="how the run was trained, when it took more than the plain command")
    parser.add_argument("--classes", action="store_true", help="measure the classes of the checkpoint that is there")
    arguments = parser.parse_args()
    if bool(arguments.run) == arguments.classes:
        parser.error("name a training run, or --classes")
    if arguments.classes:
        published = measure_classes(arguments.name, arguments.data)
    else:
        published = publish(arguments.run, arguments.name, arguments.data, arguments.command)
    print(json.dumps(published["results"]["overall"], indent=1))
