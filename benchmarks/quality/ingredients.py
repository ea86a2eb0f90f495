"""What each ingredient of the flagship's training brings to spoken commands.

    python -m benchmarks.quality.ingredients --data PREPARED --runs RUNS --grammar coffee_maker.yaml \\
        --orders PREPARED/coffee_orders/manifest.jsonl --noise doing_the_dishes.wav

trains the flagship's network from scratch for one epoch of its config, with the heads that read (transcript, phones,
alignment): once with everything, and once without each ingredient. Where recordings are left out, the others are heard
more often, so that all runs are as long. Measured are real orders that nothing was trained on, understood under their
grammar, clean and in noise, and the phones of LibriSpeech's dev speakers. What has been trained is not trained again: stop
at any time, and start the same command to go on. Runs that are missing (`--only` names those to train) are left out.
"""

import argparse
import dataclasses
import fnmatch
import json
from collections.abc import Callable
from pathlib import Path

from speechzoo.config import RangeConfig, SourceConfig, ZooConfig, load_config
from speechzoo.data.manifest import read_manifest
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.evaluation import evaluate
from speechzoo.files import write_atomically
from speechzoo.registry import load
from speechzoo.training.run_log import read_log
from speechzoo.training.trainer import train
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import TABLES

MODEL, READING = "mtl_conformer_small", ["transcript", "phones", "alignment"]
SYNTHETIC = ("smart_speaker", "fragments_spoken", "hwu64_spoken", "snips_spoken")
REQUESTS = ("smart_speaker", "hwu64_spoken", "snips_spoken")
RATIOS = (6, 9, 12, 15, 18, 21, 24)


def without_sources(config: ZooConfig, left_out: Callable[[str], bool]) -> ZooConfig:
    """The config without some of its corpora; the others that these heads read are repeated to make up for them."""
    def hours(sources):
        total = 0.0
        for source in sources:
            labelled = [utterance["duration"] for utterance in read_manifest(Path(config.data.root) / source.manifest)
                        if source.split in (None, utterance.get("split"))
                        and any(source.label_of(utterance, head) is not None for head in READING)]
            total += source.repeat * sum(labelled)
        return total

    kept = [source for source in config.data.train if not left_out(source.manifest.partition("/")[0])]
    factor = hours(config.data.train) / hours(kept)
    longer = [dataclasses.replace(source, repeat=source.repeat * factor) for source in kept]
    return dataclasses.replace(config, data=dataclasses.replace(config.data, train=longer))


def without_augmentations(config: ZooConfig, *names: str) -> ZooConfig:
    """The config without some augmentations."""
    augment = dataclasses.replace(config.data.augment, **{name: RangeConfig() for name in names})
    return dataclasses.replace(config, data=dataclasses.replace(config.data, augment=augment))


def reading(config: ZooConfig, heads: list[str] = READING) -> ZooConfig:
    """The config with these heads alone."""
    return dataclasses.replace(config, heads=config.select_heads(heads))


# Name of the run -> (what the table calls it, the config made from the flagship's).
VARIANTS = {
    "everything": ("everything", reading),
    "every_head": ("with the other seven heads", lambda config: config),
    "no_synthetic": ("without synthetic speech",
                     lambda config: without_sources(reading(config), lambda corpus: corpus in SYNTHETIC)),
    "no_requests": ("without spoken requests, of synthetic speech only read sentences",
                    lambda config: without_sources(reading(config), lambda corpus: corpus in REQUESTS)),
    "no_people": ("without recordings of people",
                  lambda config: without_sources(reading(config), lambda corpus: corpus not in SYNTHETIC)),
    "no_noise": ("without noise", lambda config: without_augmentations(reading(config), "noise")),
    "no_silence": ("without silence behind recordings",
                   lambda config: without_augmentations(reading(config), "silence")),
    "no_rooms": ("without rooms, devices and bands",
                 lambda config: without_augmentations(reading(config), "reverberation", "device", "band_limit")),
    "no_speed": ("without changes of speed", lambda config: without_augmentations(reading(config), "speed")),
    "no_alignment": ("without alignments", lambda config: reading(config, ["transcript", "phones"])),
}


def measure(run: Path, data: Path, grammar: str, orders: Path, noise: Path) -> dict:
    """Orders understood under the grammar, clean and in noise, and the phone error rate of LibriSpeech's dev speakers."""
    model = load(run)
    commands = CommandDecoder(grammar, model.spec)
    clean, noisy = (evaluate(model, orders, ["phones"], grammar=commands, **mixed)["overall"]["command"]
                    for mixed in ({}, {"noise": noise, "snr": RATIOS}))
    read = evaluate(model, [SourceConfig(str(data.resolve() / "librispeech" / "manifest.jsonl"), "dev")], ["phones"])
    steps = read_log(run / "log.jsonl")[-1]["step"]
    return {"clean": clean, "noisy": noisy, "phones": read["overall"]["phones"], "steps": steps}


# Column of the figures -> part of what `measure` gives, and the metric in it.
MEASURED = {"clean": ("clean", "accuracy"), "noisy": ("noisy", "accuracy"), "exact": ("noisy", "exact"),
            "phones": ("phones", "per")}


def figures_of(results: dict[str, dict], noise: str) -> list[dict]:
    """A row per run, with what it gains or loses against everything."""
    rows, whole = [], results.get("everything")
    for name, (title, _) in VARIANTS.items():
        if name in results:
            result = results[name]
            row = {"trained": title, "steps": result["steps"], "noise": noise}
            for column, (part, metric) in MEASURED.items():
                value, bounds = result[part][metric], result[part].get(f"{metric}_interval", (None, None))
                change = None if whole in (None, result) else value - whole[part][metric]
                row |= {column: value, f"{column}_low": bounds[0], f"{column}_high": bounds[1],
                        f"{column}_change": change}
            rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--grammar", required=True)
    parser.add_argument("--orders", type=Path, required=True, metavar="MANIFEST", help="commands of the grammar")
    parser.add_argument("--noise", type=Path, required=True, help="recording that is added to the orders")
    parser.add_argument("--only", default="*", metavar="PATTERN", help=f"runs to train; of {', '.join(VARIANTS)}")
    add_figures_option(parser, "ingredients")
    arguments = parser.parse_args()
    results = {}
    for name, (_, change) in VARIANTS.items():
        run = arguments.runs / name
        measured = run / "orders.json"
        if not measured.is_file() and fnmatch.fnmatch(name, arguments.only):
            print(f"{name} ...", flush=True)
            config = change(load_config(MODEL, [f"data.root={arguments.data.resolve()}"]))
            if train(config, run).ended == "interrupted":
                return
            result = measure(run, arguments.data, arguments.grammar, arguments.orders, arguments.noise)
            write_atomically(measured, (json.dumps(result, indent=1) + "\n").encode())
        if measured.is_file():
            results[name] = json.loads(measured.read_text(encoding="utf-8"))
    write_figures(arguments.figures, figures_of(results, arguments.noise.stem))
    print("\n".join(TABLES["ingredients"](arguments.figures.parent)))


if __name__ == "__main__":
    main()
