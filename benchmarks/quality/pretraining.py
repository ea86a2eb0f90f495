"""Phones from few labels: a network that begins at random, beside ones that first learn without labels, or from words.

    python -m benchmarks.quality.pretraining --data PREPARED --runs RUNS

teaches the network of `--model` for `--pretrain-hours` core hours each by BEST-RQ, from all recordings and no labels, and by the
auxiliary head `words`, from sentences whose words have times (`speechzoo align MANIFEST --words 1000`). Each of the two, and a network
that begins at random, then learns phones from 1, 5, 25 and 100 % of the labelled sentences, `--tune-hours` core hours each time. Dev is
the same throughout. Core hours become steps by the pace of the first steps of each kind of run. With the defaults that is 2 x 3 + 12 x
0.25 = 9 core hours, and some minutes for finding the paces and for dev. What has been trained is not trained again: stop at any time,
and start the same command to go on.
"""

import argparse
import dataclasses
import json
import shutil
from pathlib import Path

from speechzoo.config import ConfigError, HeadConfig, PartConfig, SourceConfig, TrainingConfig, ZooConfig, load_config
from speechzoo.data.manifest import read_manifest
from speechzoo.files import write_atomically
from speechzoo.pretraining.config import pretraining_config
from speechzoo.training.trainer import train
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import TABLES

RANDOM, WORDS = "none", "words"
SHARES = (0.01, 0.05, 0.25, 1.0)
SENTENCES = LABELLED = ["librispeech/manifest.jsonl:train", "librispeech_more/manifest.jsonl:train"]
UNLABELLED = [*SENTENCES, "speechocean762/manifest.jsonl:train", "speech_commands/manifest.jsonl:training",
              "arabic_speech_commands/manifest.jsonl:train"]
DEV = ["librispeech/manifest.jsonl:dev"]
EPOCHS = 10  # that a run is cut into: the first runs from short to long, and mustn't be all
# Steps whose pace counts: the first ones build the graphs.
PACE_FROM, PACE_TO = 20, 60


def sources(manifests: list[str]) -> list[SourceConfig]:
    """`MANIFEST` or `MANIFEST:SPLIT`, as sources."""
    parts = [text.partition(":") for text in manifests]
    return [SourceConfig(manifest, split or None) for manifest, _, split in parts]


def base_config(model: str, data: Path, dev: list[str]) -> ZooConfig:
    """Front end, backbone and optimizer of a zoo model, with one head of phones at the last block."""
    config = load_config(model, [f"data.root={data.resolve()}"])
    training = dataclasses.replace(
        TrainingConfig(), learning_rate=config.training.learning_rate, epochs=EPOCHS, warmup_steps=200, evaluate_every=10**6,
        checkpoint_every=200)
    return dataclasses.replace(
        config, heads={"phones": HeadConfig("ctc", options={"units": "phones"})}, training=training, sharing=PartConfig("hard"),
        weighting=PartConfig("static"), data=dataclasses.replace(config.data, dev=sources(dev)))


def first_config(base: ZooConfig, method: str, unlabelled: list[str], sentences: list[str]) -> ZooConfig:
    """The run that comes before the labels: an objective on recordings alone, or words."""
    made = (dataclasses.replace(base, heads={WORDS: HeadConfig(WORDS)}) if method == WORDS else pretraining_config(base, method))
    data = dataclasses.replace(made.data, train=sources(sentences if method == WORDS else unlabelled), dev=[])
    # Sorting is for CTC.
    return dataclasses.replace(made, data=data, training=dataclasses.replace(made.training, sort_first_epoch=False))


def labelled_config(base: ZooConfig, labelled: list[str], share: float) -> ZooConfig:
    """The run on some of the labelled sentences, at even distances in each manifest."""
    train = []
    for source in sources(labelled):
        found = sum(source.split in (None, utterance.get("split")) for utterance in read_manifest(Path(base.data.root) / source.manifest))
        train.append(dataclasses.replace(source, utterances=max(1, round(share * found))))
    return dataclasses.replace(base, data=dataclasses.replace(base.data, train=train))


def repeated(config: ZooConfig, factor: float) -> ZooConfig:
    """The config with `factor` times as many passes over each source per epoch."""
    train = [dataclasses.replace(source, repeat=source.repeat * factor) for source in config.data.train]
    return dataclasses.replace(config, data=dataclasses.replace(config.data, train=train))


class _Enough(Exception):
    """The steps that the pace is taken from are done."""


def measure_pace(config: ZooConfig, folder: Path) -> tuple[float, int]:
    """Core hours per step, and the steps of `config` as it is; the run that it takes is deleted."""
    seen = {}

    def on_record(record):
        if record["event"] == "train":
            seen[record["step"]] = record
        if record["step"] >= PACE_TO:
            raise _Enough

    try:
        result = train(dataclasses.replace(config, data=dataclasses.replace(config.data, dev=[])), folder, resume=False,
                       on_record=on_record)
        raise ConfigError(f"the run is over after {result.step} steps; its pace takes {PACE_TO}")
    except _Enough:
        pass
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    first, last = (seen[step] for step in (PACE_FROM, PACE_TO))
    return (last["core_hours"] - first["core_hours"]) / (PACE_TO - PACE_FROM), last["total_steps"]


def timed(config: ZooConfig, core_hours: float, pace: tuple[float, int]) -> ZooConfig:
    """The config with as many passes as take `core_hours`."""
    per_step, steps = pace
    return repeated(config, core_hours / (per_step * steps))


def run_once(config: ZooConfig, folder: Path, weights: Path | None = None) -> dict | None:
    """Trains, unless that was done before; None when it was interrupted."""
    done = folder / "figures.json"
    if not done.is_file():
        result = train(config, folder, weights=weights)
        if result.ended == "interrupted":
            return None
        figures = {"steps": result.step, "core_hours": result.core_hours, "audio_hours": result.audio_hours,
                   "phones_wrong": result.metrics.get("phones/per")}
        write_atomically(done, (json.dumps(figures, indent=1) + "\n").encode())
    return json.loads(done.read_text(encoding="utf-8"))


def remembered_pace(config: ZooConfig, path: Path) -> tuple[float, int]:
    """`measure_pace`, once per kind of run: one that goes on must take the same steps as before."""
    if not path.is_file():
        write_atomically(path, json.dumps(measure_pace(config, path.with_suffix(".run"))).encode())
    return tuple(json.loads(path.read_text(encoding="utf-8")))


def compare(base: ZooConfig, arguments) -> list[dict] | None:
    """A row per method and share of the labels; None when it was interrupted."""
    runs = arguments.runs
    runs.mkdir(parents=True, exist_ok=True)
    # All labels and ten epochs, so that there are steps enough for a pace.
    whole = labelled_config(base, arguments.labelled, 1.0)
    tune_pace = remembered_pace(whole, runs / "pace_phones.json")
    rows = []
    for method in [RANDOM, *arguments.methods]:
        weights, hours = None, 0.0
        if method != RANDOM:
            first = first_config(base, method, arguments.unlabelled, arguments.sentences)
            pace = remembered_pace(first, runs / f"pace_{method}.json")
            before = run_once(timed(first, arguments.pretrain_hours, pace), runs / method)
            if before is None:
                return None
            weights, hours = runs / method / "final.weights.h5", before["core_hours"]
        for share in SHARES:
            config = repeated(labelled_config(base, arguments.labelled, share), 1 / share)
            figures = run_once(timed(config, arguments.tune_hours, tune_pace), runs / f"{method}_{100 * share:g}", weights)
            if figures is None:
                return None
            rows.append({"method": method, "share": share, "first_core_hours": hours, **figures})
            print(f"{method}, {share:.0%}: {figures['phones_wrong']:.1%} of the phones wrong", flush=True)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--model", default="mtl_conformer_small", help="whose front end and backbone (%(default)s)")
    parser.add_argument("--methods", nargs="+", default=["best_rq", WORDS], metavar="NAME",
                        help="what comes before the labels: best_rq, masked_prediction, apc, words (%(default)s)")
    parser.add_argument("--pretrain-hours", type=float, default=3.0, help="core hours of each method (%(default)s)")
    parser.add_argument("--tune-hours", type=float, default=0.25, help="core hours on the labels, each time (%(default)s)")
    for name, default, what in (("unlabelled", UNLABELLED, "recordings without labels"), ("labelled", LABELLED, "sentences with phones"),
                                ("sentences", SENTENCES, "sentences with words"), ("dev", DEV, "what is measured on")):
        parser.add_argument(f"--{name}", nargs="+", default=default, metavar="MANIFEST[:SPLIT]", help=f"{what} (%(default)s)")
    add_figures_option(parser, "pretraining")
    arguments = parser.parse_args()
    rows = compare(base_config(arguments.model, arguments.data, arguments.dev), arguments)
    if rows is None:
        return
    write_figures(arguments.figures, rows)
    print("\n".join(TABLES["pretraining"](arguments.figures.parent)))


if __name__ == "__main__":
    main()
