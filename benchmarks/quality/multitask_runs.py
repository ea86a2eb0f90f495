"""The runs of `multitask.py`: what is trained on what, and how it is measured."""

import itertools
import json
import resource
import statistics
import sys
import tempfile
import time
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

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
# A network for the other heads, and one for a head alone that starts from it.
OTHERS, TUNED = "others", "tuned"
# How often the others' network sees what a shared training sees: what others start from has time to learn.
OTHERS_TIMES = 3
# What `--relate` leaves in a folder of that name among the runs, and the most networks that it proposes.
RELATED, RELATED_NETWORKS = "relatedness.json", 3


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
        method: "alone", "alone, all steps", "others", "tuned", or the sharing or weighting of a shared training.
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
        parts += [f"without_{head}" for head in HEADS if self.method == OTHERS and head not in self.heads]
        return "-".join([*parts, f"seed{self.seed}"])

    @property
    def start(self) -> "Run | None":
        """The run whose weights this one starts from."""
        if self.method != TUNED:
            return None
        return Run(OTHERS, self.seed, tuple(head for head in HEADS if head not in self.heads))


def plan_runs(seeds: int) -> list[Run]:
    """All runs, those of the first seed before those of the second, the few-label part last."""
    together, runs = tuple(HEADS), []
    for seed in range(1, seeds + 1):
        runs.append(Run("hard", seed, together))
        runs += [Run(method, seed, (head,)) for method in (ALONE, ALONE_LONG) for head in HEADS]
        runs += [Run(method, seed, together) for method in SHARINGS[1:] + WEIGHTINGS]
    for seed in range(1, seeds + 1):
        tuned = [Run(TUNED, seed, (head,), head, percent) for head in HEADS for percent in FEW]
        runs += dict.fromkeys(run.start for run in tuned)
        runs += [Run(method, seed, (head,) if method == ALONE else together, head, percent)
                 for head in HEADS for percent in FEW for method in (ALONE, "hard")]
        runs += tuned
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
    if run.method == OTHERS:
        return OTHERS_TIMES * steps
    if run.method not in (ALONE, TUNED):
        return steps
    drawn = [(CORPORA[utterance["corpus"]].repeat, run.heads[0] in utterance) for utterance in train]
    labelled = sum(repeat for repeat, has_label in drawn if has_label)
    return max(1, round(steps * labelled / sum(repeat for repeat, _ in drawn)))


# -- a run -------------------------------------------------------------------------------------------------------------


def weights_of(run: Run, runs: Path) -> Path:
    """The file of a run's weights, which those leave that others start from."""
    return runs / f"{run.name}.weights.h5"


def train_one(run: Run, data: Path, runs: Path, steps: int) -> dict:
    """Trains and measures; returns what its file holds.

    Raises:
        ValueError: The run that it starts from wasn't made, a loss isn't finite, or recordings can't be read.
    """
    import numpy as np

    from speechzoo.config import SourceConfig
    from speechzoo.evaluation import evaluate
    from speechzoo.multitask.macs import count_macs
    from speechzoo.training.prepare import prepare_run
    from speechzoo.training.step import make_train_step
    from speechzoo.weights import save_weights

    if run.start and not weights_of(run.start, runs).is_file():
        raise ValueError(f"it starts from the weights of the run '{run.start.name}', which isn't there")
    train, test = gather(data)
    taken = count_steps(train, run, steps)
    measured = (run.few,) if run.few else () if run.method == OTHERS else run.heads
    with tempfile.TemporaryDirectory() as folder:
        config = make_config(run, train, test, Path(folder))
        prepared = prepare_run(config, weights_of(run.start, runs) if run.start else None, taken)
        prepared.adapt_frontend()
        model, batches = prepared.model, prepared.data
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
        if run.method == OTHERS:
            save_weights(model, weights_of(run, runs))
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
        "training": {"epochs": 1, "learning_rate": 4e-3, "warmup_steps": 50,
                     "weight_decay": 1e-3, "seed": run.seed, "sort_first_epoch": False}})


def relate_heads(data: Path, steps: int, folder: Path):
    """`speechzoo relate` of all heads: matrices and the networks proposed in `relatedness.json`, and pictures."""
    from speechzoo.training.relate_tasks import relate
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
    from speechzoo.heads.frame_labels import FrameAccuracy

    accuracy = FrameAccuracy()
    for inputs, targets, weights in batches:
        accuracy.update_state(targets["alignment"], model.predict_on_batch(inputs)["alignment"], weights["alignment"])
    return 1 - float(accuracy.result())
