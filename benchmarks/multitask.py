"""What sharing one network brings to six tasks: every sharing and weighting of losses beside training each task alone.

    python benchmarks/multitask.py --data PREPARED --runs RUNS

trains a small network on recordings of Speech Commands, speechocean762, LibriSpeech and ESC-10 (`speechzoo prepare`,
then `speechzoo align` for the phones, see docs/training.md) with the heads keyword, speaker, gender, age_group, alignment
(the phone of each frame) and event, none of which all corpora have labels for, and writes tables and plots between the
two marks in docs/multitask.md. A run is a few minutes in a process of its own and leaves one JSON file in RUNS. What has
its file is not run again: stop at any time, and start the same command to go on. The page is written from the files that
are there.

    python benchmarks/multitask.py --data PREPARED --runs RUNS --relate

measures in the same network which of these heads belong together (`speechzoo relate`), and adds that to the page.

All runs have the same optimizer and batches of the same length; shared ones have `--steps` training steps. `alone`
trains a network for one head, for as many steps as show it its labelled recordings as often as a shared training does;
`alone, all steps` for as many steps as a shared training has. In the few-label part one head keeps some of its labels,
the same ones alone and with the others; with the others, recordings that kept theirs are half of what is drawn of those
that had one.
"""

import argparse
import fnmatch
import itertools
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from marked_page import write_between

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- written by benchmarks/multitask.py -->", "<!-- end of what it wrote -->"

# The first seconds of every recording, so that all corpora stand in every batch: batches of one corpus each, as length
# buckets would make them, have batch statistics that no other corpus has.
SECONDS, SECONDS_PER_BATCH = 2.0, 32
CLIPS_OF_A_KEYWORD = {"train": 300, "test": 60}
TEST_SPEAKERS = 4  # every fourth
FEW = (1, 5, 25)
KEYWORDS = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "_unknown_", "_silence_"]
EVENTS = ["baby_cry", "chainsaw", "clock_tick", "dog_bark", "fire_crackling", "helicopter", "person_sneeze", "rain",
          "rooster", "sea_waves"]
HEADS = {
    "keyword": {"type": "classifier", "classes": KEYWORDS},
    "speaker": {"type": "speaker", "embedding_size": 64, "loss_weight": 0.1},
    "gender": {"type": "classifier", "classes": ["female", "male"]},
    "age_group": {"type": "classifier", "classes": ["adult", "child"]},
    # CTC needs more steps than these before it writes anything at all.
    "alignment": {"type": "alignment"},
    "event": {"type": "classifier", "classes": EVENTS},
}
NETWORK = {
    "name": "multitask_benchmark", "summary": "TC-ResNet with frames of 40 ms.",
    "frontend": {"type": "log_mel", "transform": "fft", "num_mel_bins": 40, "hop_seconds": 0.02,
                 "window_seconds": 0.032, "frequency_masks": 1, "frequency_mask_width": 5,
                 "time_masks": 1, "time_mask_fraction": 0.1},
    "backbone": {"type": "tc_resnet", "channels": [32, 48], "stage_blocks": 4},
}
SHARINGS = ("hard", "soft", "cross_stitch", "nddr", "mmoe", "ple", "mtan", "adapters", "branching")
WEIGHTINGS = ("uncertainty", "dwa", "rlw", "famo", "gradnorm", "pcgrad", "mgda", "cagrad", "imtl", "nash_mtl")
# What a method's default, made for long trainings, would make the same as fixed weights in these short ones.
OPTIONS = {"dwa": {"window": 50}}
ALONE, ALONE_LONG = "alone", "alone, all steps"
# What `--relate` leaves in a folder of that name among the runs, and the most networks that it proposes.
RELATED, RELATED_NETWORKS = "relatedness.json", 3
# 97.5 % quantiles of Student's t, by degrees of freedom.
STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23}


@dataclass(frozen=True)
class Corpus:
    """What is used of a corpus; without splits a quarter of its speakers is for the test."""

    labels: tuple[str, ...]
    repeat: float = 1.0
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


CORPORA = {
    "speech_commands": Corpus(("keyword",), 1.0, ("training",), ("validation",)),
    "speechocean762": Corpus(("speaker", "gender", "age_group", "alignment")),
    "librispeech": Corpus(("speaker", "gender", "alignment")),
    "esc10": Corpus(("event",), 3.0, ("fold1", "fold2", "fold3"), ("fold4",)),
}


@dataclass(frozen=True)
class Run:
    """One training: a row of the tables, its seed, and the heads that it has.

    Attributes:
        method: "alone", "alone, all steps", or the sharing or weighting of a shared training.
        seed: Seed of weights, order and choice of labels.
        heads: Names of the heads.
        few: The head that keeps some of its labels only; None when all keep all.
        percent: How many it keeps.
    """

    method: str
    seed: int
    heads: tuple[str, ...]
    few: str | None = None
    percent: int = 100

    @property
    def name(self) -> str:
        """Name of its file, without the ending."""
        parts = [self.method.replace(", ", "_").replace(" ", "_")]
        parts += [self.heads[0]] if len(self.heads) == 1 else []
        parts += [f"{self.percent}_of_{self.few}"] if self.few else []
        return "-".join([*parts, f"seed{self.seed}"])


def plan_runs(seeds: int) -> list[Run]:
    """All runs, those of the first seed before those of the second, the few-label part last."""
    together, runs = tuple(HEADS), []
    for seed in range(1, seeds + 1):
        runs.append(Run("hard", seed, together))
        runs += [Run(method, seed, (head,)) for method in (ALONE, ALONE_LONG) for head in HEADS]
        runs += [Run(method, seed, together) for method in SHARINGS[1:] + WEIGHTINGS]
    for seed in range(1, seeds + 1):
        runs += [Run(method, seed, (head,) if method == ALONE else together, head, percent)
                 for head in HEADS for percent in FEW for method in (ALONE, "hard")]
    return runs


# -- data --------------------------------------------------------------------------------------------------------------


def gather(data: Path) -> tuple[list[dict], list[dict]]:
    """The utterances for training and test, with the labels that are used and places that hold everywhere."""
    from speechzoo.data.manifest import read_manifest

    parts = [], []
    for name, corpus in CORPORA.items():
        folder = (data / name).resolve()
        utterances = read_manifest(folder / "manifest.jsonl")
        held_out = set() if corpus.train else _test_speakers(utterances)
        clips = Counter()
        for utterance in sorted(utterances, key=lambda utterance: _number(utterance["id"])):
            test = utterance.get("split") in corpus.test if corpus.train else utterance["speaker"] in held_out
            if not test and corpus.train and utterance.get("split") not in corpus.train:
                continue
            keyword = class_of("keyword", utterance)
            clips[test, keyword] += 1
            if keyword and clips[test, keyword] > CLIPS_OF_A_KEYWORD["test" if test else "train"]:
                continue
            parts[test].append(_placed(utterance, name, corpus, folder))
    return parts


def _placed(utterance, name, corpus, folder):
    kept = {label: utterance[label] for label in corpus.labels if label in utterance}
    if "alignment" in kept:
        starts = [0.0, *(end for _, end in kept["alignment"])]
        kept["alignment"] = [[unit, min(end, SECONDS)] for start, (unit, end) in zip(starts, kept["alignment"])
                             if start < SECONDS]
    return kept | {"id": f"{name}/{utterance['id']}", "corpus": name, "audio": str(folder / utterance["audio"]),
                   "start": utterance.get("start", 0.0), "duration": min(utterance["duration"], SECONDS)}


def _test_speakers(utterances):
    """Every fourth speaker of each gender and age group."""
    groups = defaultdict(set)
    for utterance in utterances:
        groups[utterance.get("gender"), utterance.get("age_group")].add(utterance["speaker"])
    return {speaker for group in groups.values() for speaker in sorted(group, key=_number)[::TEST_SPEAKERS]}


def _number(text):
    """A number that looks random and is the same everywhere."""
    return zlib.crc32(text.encode())


def class_of(head: str, utterance: dict):
    """The class of a label, None without one; all labels that are no classes are one."""
    value = utterance.get(head)
    if value is None or "classes" not in HEADS[head]:
        return None if value is None else "any"
    return value if value in HEADS[head]["classes"] else "_unknown_"


def choose(train: list[dict], head: str, percent: int, seed: int) -> set[str]:
    """Ids of the utterances that keep a label: a share of each class, one at least; larger shares hold smaller ones."""
    import numpy as np

    chosen = set()
    classes = defaultdict(list)
    for utterance in train:
        if head in utterance:
            classes[class_of(head, utterance)].append(utterance["id"])
    for number, name in enumerate(sorted(classes)):
        order = np.random.default_rng([seed, number]).permutation(len(classes[name]))
        count = max(round(percent / 100 * len(order)), 2 if name == "any" else 1)
        chosen.update(classes[name][index] for index in order[:count])
    return chosen


def make_sources(train: list[dict], run: Run) -> list[tuple[float, list[dict]]]:
    """(passes, utterances) of each source that a run draws from."""
    kept = choose(train, run.few, run.percent, run.seed) if run.few else set()
    sources = []
    for name, corpus in CORPORA.items():
        members = [utterance for utterance in train if utterance["corpus"] == name]
        had = [utterance for utterance in members if run.few in utterance] if run.few else []
        few = [utterance for utterance in had if utterance["id"] in kept]
        rest = [{key: value for key, value in utterance.items() if key != run.few} for utterance in had
                if utterance["id"] not in kept]
        share = 0.5 if few and rest else 1.0
        sources.append((corpus.repeat, [utterance for utterance in members if run.few not in utterance]))
        sources += [(corpus.repeat * share * len(had) / len(part), part) for part in (few, rest) if part]
    return [(repeat, utterances) for repeat, utterances in sources if utterances]


def count_steps(train: list[dict], run: Run, steps: int) -> int:
    """How many of the `steps` of a shared training a run takes."""
    if run.method != ALONE:
        return steps
    drawn = [(CORPORA[utterance["corpus"]].repeat, run.heads[0] in utterance) for utterance in train]
    labelled = sum(repeat for repeat, has_label in drawn if has_label)
    return max(1, round(steps * labelled / sum(repeat for repeat, _ in drawn)))


# -- a run -------------------------------------------------------------------------------------------------------------


def train_one(run: Run, data: Path, steps: int) -> dict:
    """Trains and measures; returns what its file holds."""
    import keras
    import numpy as np

    from speechzoo.config import SourceConfig
    from speechzoo.evaluation import evaluate
    from speechzoo.multitask.build import build_model
    from speechzoo.profiling import count_macs
    from speechzoo.training.batches import TrainingData, training_speakers
    from speechzoo.training.schedule import make_optimizer
    from speechzoo.training.step import make_train_step

    train, test = gather(data)
    taken = count_steps(train, run, steps)
    measured = (run.few,) if run.few else run.heads
    with tempfile.TemporaryDirectory() as folder:
        config = make_config(run, train, test, Path(folder))
        keras.utils.set_random_seed(run.seed)
        model = build_model(config, speakers=training_speakers(config) or None, training=True)
        batches = TrainingData(config, model)
        model.compile(make_optimizer(config.training, taken))
        if model.frontend.needs_adaptation:
            model.frontend.adapt(batches.adaptation_audio())
        epochs = itertools.chain.from_iterable(batches.training_batches(epoch, 0) for epoch in itertools.count())
        step = make_train_step(model)
        started, times = time.process_time(), [time.process_time()]
        for batch in itertools.islice(epochs, taken):
            loss = step(*batch)["loss"]
            if not np.isfinite(loss):
                raise ValueError(f"the loss is {loss} at step {len(times)}")
            times.append(time.process_time())
        trained = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        scored = [head for head in measured if head != "alignment"]
        found = evaluate(model, [SourceConfig(str(Path(folder, "test.jsonl")))], heads=scored) if scored else {}
        errors = {head: error_of(found["overall"][head]) for head in scored}
        tested = {head: found["overall"][head]["n"] for head in scored}
        if "alignment" in measured:
            errors["alignment"] = frame_errors(model, batches.dev_batches())
            tested["alignment"] = sum("alignment" in utterance for utterance in test)
        labels = {head: int(batches.plan.examples.labelled[head].sum()) for head in run.heads}
    if found.get("_skipped", {}).get("audio"):
        raise ValueError(f"recordings that can't be read, the first: {found['_skipped']['audio'][0]}")
    result = {"method": run.method, "seed": run.seed, "heads": list(run.heads), "few": run.few, "percent": run.percent,
              "settings": settings(steps), "errors": errors, "tested": tested, "labels": labels, "steps": taken,
              # The first step makes the graph.
              "seconds_per_step": statistics.median(np.diff(times[(len(times) - 1) // 2:])),
              "training_seconds": trained, "peak_megabytes": peak, "parameters": model.count_params()}
    return result | ({} if run.few else {"macs_per_second": count_macs(model)})


def make_config(run: Run, train: list[dict], test: list[dict], folder: Path):
    """The config of a run, whose manifests are written into a folder; frames of `test.jsonl` are its dev set."""
    from speechzoo.config import ZooConfig, from_dict
    from speechzoo.data.manifest import write_manifest

    sources = make_sources(train, run)
    for number, (_, utterances) in enumerate(sources):
        write_manifest(folder / f"{number}.jsonl", utterances)
    write_manifest(folder / "test.jsonl", test)
    return from_dict(ZooConfig, {
        **NETWORK, "heads": {head: HEADS[head] for head in run.heads},
        "sharing": run.method if run.method in SHARINGS else "hard",
        "weighting": {"type": run.method, **OPTIONS.get(run.method, {})} if run.method in WEIGHTINGS else "static",
        "data": {"root": str(folder), "seconds_per_batch": SECONDS_PER_BATCH, "bucket_seconds": [SECONDS],
                 "train": [{"manifest": f"{number}.jsonl", "repeat": repeat}
                           for number, (repeat, _) in enumerate(sources)],
                 "dev": [{"manifest": "test.jsonl"}] if "alignment" in run.heads else []},
        "training": {"epochs": 1, "learning_rate": 4e-3, "warmup_steps": 50, "weight_decay": 1e-3, "seed": run.seed,
                     "sort_first_epoch": False}})


def relate_heads(data: Path, steps: int, folder: Path):
    """`speechzoo relate` of all heads: matrices and the networks proposed in `relatedness.json`, and pictures."""
    from speechzoo.training.relate import relate
    from speechzoo.training.relatedness_plot import plot_relatedness

    with tempfile.TemporaryDirectory() as manifests:
        config = make_config(Run("hard", 1, tuple(HEADS)), *gather(data), Path(manifests))
        result = relate(config, steps, networks=RELATED_NETWORKS, measure_every=max(steps // 30, 1))
    folder.mkdir(parents=True, exist_ok=True)
    result.write(folder / RELATED)
    plot_relatedness(result, folder)


def settings(steps: int) -> dict:
    """What all runs of a table must have in common."""
    return {"steps": steps, "seconds_per_batch": SECONDS_PER_BATCH, "network": _number(json.dumps([NETWORK, HEADS]))}


def error_of(figures: dict) -> float:
    """The error rate among a head's figures, which is lower when better for every head."""
    return figures["eer"] if "eer" in figures else 1 - figures["accuracy"]


def frame_errors(model, batches) -> float:
    """Share of the frames whose most likely phone isn't the aligned one."""
    from speechzoo.heads.alignment import FrameAccuracy

    accuracy = FrameAccuracy()
    for inputs, targets, weights in batches:
        accuracy.update_state(targets["alignment"], model.predict_on_batch(inputs)["alignment"], weights["alignment"])
    return 1 - float(accuracy.result())


# -- the page ----------------------------------------------------------------------------------------------------------


def read_runs(runs: Path, steps: int | None = None) -> list[dict]:
    """All results in a folder.

    Raises:
        ValueError: They were not all made with the same settings.
    """
    results = []
    for path in sorted(runs.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        wanted = results[0]["settings"] if steps is None and results else settings(steps or result["settings"]["steps"])
        if result["settings"] != wanted:
            raise ValueError(f"{path}: made with other settings ({result['settings']}, not {wanted}); "
                             "take another --runs")
        results.append(result)
    return results


def errors_by_seed(results: list[dict], method: str, head: str, percent: int = 100) -> dict[int, float]:
    """Seed -> error of one head under one method, with so many of its labels."""
    return {result["seed"]: result["errors"][head] for result in with_labels(results, head, percent)
            if result["method"] == method}


def with_labels(results: list[dict], head: str, percent: int = 100) -> list[dict]:
    """The results of runs where a head has so many of its labels, and the others all."""
    few = None if percent == 100 else head
    return [result for result in results if result["few"] == few and result["percent"] == percent
            and head in result["errors"]]


def delta_m(results: list[dict], method: str) -> dict[int, float]:
    """Seed -> mean over the heads of the relative gain on training alone (Maninis et al. 2019), a fraction.

    All measures are errors; the baseline is the mean of `alone` over its seeds. Only seeds that have all heads count.
    """
    alone = {head: errors_by_seed(results, ALONE, head) for head in HEADS}
    if not all(alone.values()):
        return {}
    found = {head: errors_by_seed(results, method, head) for head in HEADS}
    seeds = set.intersection(*(set(errors) for errors in found.values()))
    bases = {head: statistics.mean(errors.values()) for head, errors in alone.items()}
    return {seed: statistics.mean((bases[head] - found[head][seed]) / bases[head] for head in HEADS if bases[head] > 0)
            for seed in sorted(seeds)}


def gain(better: dict[int, float], base: dict[int, float]) -> tuple[float, float] | None:
    """Mean of base - better over the seeds that both have, and half its 95 % t interval; None with fewer than two."""
    differences = [base[seed] - better[seed] for seed in sorted(base.keys() & better.keys())]
    if len(differences) < 2:
        return None
    spread = statistics.stdev(differences) / math.sqrt(len(differences))
    return statistics.mean(differences), STUDENT.get(len(differences) - 1, 1.96) * spread


def spread_text(values, sign: str = "") -> str:
    """Mean and standard deviation in per cent; the mean alone for one value."""
    values = [100 * value for value in values]
    if not values:
        return "not run"
    return f"{statistics.mean(values):{sign}.1f}" + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def methods_of(results: list[dict]) -> list[str]:
    """The methods that have results, in the order of the tables."""
    there = {result["method"] for result in results if not result["few"]}
    return [method for method in (ALONE, ALONE_LONG, *SHARINGS, *WEIGHTINGS) if method in there]


def label_of(method: str) -> str:
    """A method as the tables write it."""
    if method in (ALONE, ALONE_LONG):
        return method
    return "hard sharing, fixed weights" if method == "hard" else f"sharing `{method}`" if method in SHARINGS else \
        f"weighting `{method}`"


def error_table(results: list[dict]) -> list[str]:
    """Errors of each head under each method, and Delta-m."""
    lines = [f"| | seeds | {' | '.join(HEADS)} | Δm |", "|---|---|" + "---|" * (len(HEADS) + 1)]
    for method in methods_of(results):
        cells, seeds = [], 0
        for head in HEADS:
            errors = errors_by_seed(results, method, head)
            seeds = max(seeds, len(errors))
            difference = None if method == ALONE else gain(errors, errors_by_seed(results, ALONE, head))
            text = spread_text(errors.values())
            if difference and difference[0] > difference[1]:
                text = f"**{text}**"
            elif difference and -difference[0] > difference[1]:
                text = f"*{text}* ▲"
            cells.append(text)
        change = "" if method == ALONE else spread_text(delta_m(results, method).values(), "+")
        lines.append(f"| {label_of(method)} | {seeds} | {' | '.join(cells)} | {change} |")
    return lines


def cost_table(results: list[dict]) -> list[str]:
    """What each method costs: the least of the seeds, as other work on the machine only adds."""
    lines = ["| | parameters | million multiply-accumulates a second of audio | a training step, s of processor time | "
             "peak memory, MB |", "|---|---|---|---|---|"]
    for method in methods_of(results):
        own = [result for result in results if result["method"] == method and not result["few"]]
        if method == ALONE_LONG:
            continue  # as alone
        networks = defaultdict(list)
        for result in own:
            networks[tuple(result["heads"])].append(result)
        parameters, macs, seconds, peak = (
            [min(result[figure] for result in same) for same in networks.values()]
            for figure in ("parameters", "macs_per_second", "seconds_per_step", "peak_megabytes"))
        name = f"{label_of(method)}, the {len(networks)} networks together" if method == ALONE else label_of(method)
        lines.append(f"| {name} | {sum(parameters):,} | {sum(macs) / 1e6:.1f} | {statistics.mean(seconds):.3f}"
                     f"{' each' if method == ALONE else ''} | {statistics.mean(peak):.0f} |")
    return lines


def where_it_hurts(results: list[dict]) -> list[str]:
    """A line for each head that shared training makes worse beyond chance."""
    lines = []
    for head in HEADS:
        for base in (ALONE, ALONE_LONG):
            losses = []
            for method in methods_of(results):
                difference = gain(errors_by_seed(results, method, head), errors_by_seed(results, base, head))
                if method not in (ALONE, ALONE_LONG) and difference and -difference[0] > difference[1]:
                    losses.append(f"{label_of(method)} ({-100 * difference[0]:.1f} points)")
            if losses:
                lines.append(f"- `{head}` is worse than {base} under {', '.join(losses)}.")
    return lines or ["No head is worse than alone by more than the interval of its difference, under any method with "
                     "two seeds."]


def few_label_table(results: list[dict]) -> list[str]:
    """Errors of a head that has few labels, alone and with the others."""
    lines = ["| head | labels | seeds | alone | with the others | gain, points (95 % interval) |", "|---|---|---|---|---|---|"]
    for head in HEADS:
        for percent in (*FEW, 100):
            alone, shared = (errors_by_seed(results, method, head, percent) for method in (ALONE, "hard"))
            counts = [result["labels"][head] for result in with_labels(results, head, percent)]
            difference, text = gain(shared, alone), ""
            if difference:
                mean, half = 100 * difference[0], 100 * difference[1]
                text = f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})"
            if counts:
                lines.append(f"| {head} | {counts[0]} ({percent} %) | {len(alone.keys() & shared.keys())} | "
                             f"{spread_text(alone.values())} | {spread_text(shared.values())} | {text} |")
    return lines


def relatedness_section(folder: Path, page: Path) -> list[str]:
    """What `--relate` found; its picture is put beside the page."""
    found = json.loads((folder / RELATED).read_text(encoding="utf-8"))
    picture = page.with_name(f"{page.stem}_relatedness.png")
    picture.write_bytes((folder / "relatedness.png").read_bytes())
    lines = ["### Which belong together", "",
             "`--relate` (`speechzoo relate`), hard sharing, seed 1. Affinity (TAG, Fifty et al. 2021): by how many per",
             "cent a step on the row's head alone lowers the column's loss, mean over the training; negative where it",
             "raises it.", "", f"| | {' | '.join(found['heads'])} |", "|---|" + "---|" * len(found["heads"])]
    for head, row in zip(found["heads"], found["affinity"]):
        lines.append(f"| {head} | {' | '.join('' if value is None else f'{100 * value:+.2f}' for value in row)} |")
    groups = "; ".join(", ".join(f"`{head}`" for head in group) for group in found["grouping"]["groups"])
    return [*lines, "", f"Proposed for at most {RELATED_NETWORKS} networks: {groups}.", "",
            f"![Affinity, cosine of gradients, similarity of representations]({picture.name})", ""]


def plot_methods(results: list[dict], path: Path):
    """Delta-m of every method: a bar for the mean, a dot for each seed."""
    import matplotlib.pyplot as plt

    changes = {label_of(method).replace("`", ""): [100 * value for value in delta_m(results, method).values()]
               for method in methods_of(results) if method != ALONE}
    changes = {name: values for name, values in changes.items() if values}
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.3 * len(changes)))
    for place, (name, values) in enumerate(changes.items()):
        axes.barh(place, statistics.mean(values), color="tab:blue", alpha=0.6)
        axes.plot(values, [place] * len(values), "k.", markersize=5)
    axes.set_yticks(range(len(changes)), changes)
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("Δm: mean relative gain on training alone, % (dots: seeds)")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def plot_few_labels(results: list[dict], path: Path):
    """Errors over the share of labels, alone and with the others; bars are standard deviations over seeds."""
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 3, figsize=(10, 6))
    for head, axes in zip(HEADS, panels.flat):
        for method, name in ((ALONE, "alone"), ("hard", "with the others")):
            found = {percent: [100 * error for error in errors_by_seed(results, method, head, percent).values()]
                     for percent in (*FEW, 100)}
            found = {percent: errors for percent, errors in found.items() if errors}
            axes.errorbar(list(found), [statistics.mean(errors) for errors in found.values()],
                          [statistics.stdev(errors) if len(errors) > 1 else 0 for errors in found.values()],
                          marker="o", capsize=3, label=name)
        axes.set(xscale="log", title=head, xlabel="labels, %", ylabel="error, %", xticks=(*FEW, 100),
                 xticklabels=(*FEW, 100))
        axes.set_ylim(bottom=0)
    panels.flat[0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def write_page(results: list[dict], page: Path, related: Path | None = None):
    """Writes tables and plots between the marks of the page, and leaves the rest of it as it is; `related` is the
    folder of what `--relate` found."""
    common, seeds = results[0]["settings"], {result["seed"] for result in results}
    lines = [
        "Errors in %: equal error rate of `speaker`, frames with a wrong phone of `alignment`, wrong answers",
        f"otherwise; mean ± standard deviation over seeds ({len(seeds)} so far). {common['steps']} training steps of",
        f"{common['seconds_per_batch']} s of audio each; nobody who speaks in the test is trained on. **Bold**",
        "is better than alone, ▲ worse, where the 95 % interval of the difference leaves out zero; where nothing",
        "differs, one cell in twenty is marked by chance. Δm is the mean over the heads of the relative gain on",
        "alone, in % (Maninis et al. 2019, https://arxiv.org/abs/1904.08918, of errors).", "",
        *error_table(results), "", f"![Δm of the methods]({page.stem}.png)", "",
        "### What they cost", "", *cost_table(results), "", "### Where it hurts", "", *where_it_hurts(results), ""]
    plot_methods(results, page.with_suffix(".png"))
    if any(result["few"] for result in results):
        plot_few_labels(results, page.with_name(f"{page.stem}_few_labels.png"))
        lines += ["### Few labels", "",
                  "One head keeps some of its labels, the others keep theirs; hard sharing, fixed weights.", "",
                  *few_label_table(results), "", f"![Few labels]({page.stem}_few_labels.png)", ""]
    if related and (related / RELATED).is_file():
        lines += relatedness_section(related, page)
    write_between(page, BEGIN, END, lines)


# -- the command -------------------------------------------------------------------------------------------------------


def main(arguments):
    """Runs what is missing, each in a process of its own, and writes the page."""
    arguments.runs.mkdir(parents=True, exist_ok=True)
    read_runs(arguments.runs, arguments.steps)
    related = arguments.runs / Path(RELATED).stem
    if arguments.relate:
        relate_heads(arguments.data, arguments.steps, related)
    part, parts = map(int, arguments.part.split("/"))
    runs = [run for run in plan_runs(arguments.seeds)
            if not arguments.relate and fnmatch.fnmatch(run.name, arguments.only)][part - 1::parts]
    missing = [run for run in runs if not (arguments.runs / f"{run.name}.json").is_file()]
    print(f"{len(runs)} runs, {len(missing)} to do")
    started, failed = time.monotonic(), 0
    for number, run in enumerate(missing, 1):
        if arguments.minutes is not None and time.monotonic() - started >= 60 * arguments.minutes:
            print(f"{len(missing) - number + 1} runs left for another time")
            break
        begun = time.monotonic()
        child = subprocess.run([sys.executable, __file__, "--data", arguments.data, "--runs", arguments.runs, "--steps",
                                str(arguments.steps), "--seeds", str(arguments.seeds), "--child", run.name],
                               stderr=subprocess.PIPE, text=True, check=False)
        failed += child.returncode != 0
        outcome = "done" if child.returncode == 0 else f"failed: {child.stderr.strip().splitlines()[-1:]}"
        print(f"{number}/{len(missing)} {run.name}: {outcome}, {time.monotonic() - begun:.0f} s", flush=True)
    results = read_runs(arguments.runs, arguments.steps)
    if results:
        write_page(results, arguments.out, related)
    return 1 if failed else 0


def child(arguments):
    """One run, in this process."""
    from speechzoo.files import write_atomically

    run = next(run for run in plan_runs(arguments.seeds) if run.name == arguments.child)
    result = train_one(run, arguments.data, arguments.steps)
    write_atomically(arguments.runs / f"{run.name}.json", (json.dumps(result, indent=1) + "\n").encode())


def parse_arguments(argv: list[str] | None = None):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the results, one file a run")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of every run (%(default)s)")
    parser.add_argument("--steps", type=int, default=600, help="training steps of every shared run (%(default)s)")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="only runs whose names match, such as 'alone-*'")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="every Nth run, for N processes side by side")
    parser.add_argument("--relate", action="store_true", help="measure which heads belong together; make no runs")
    parser.add_argument("--minutes", type=float, help="start no run after so long")
    parser.add_argument("--out", type=Path, default=DOCS / "multitask.md", help="page to write the tables into")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    given = parse_arguments()
    sys.exit((child if given.child else main)(given))
