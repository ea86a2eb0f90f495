"""A reader of LibriSpeech meets learners of English, a kitchen and a telephone, of which it gets unlabelled recordings only.

    speechzoo import WEIGHTS --encoder --out imported/whisper_tiny_en
    python -m benchmarks.quality.domains --data prepared --encoder imported/whisper_tiny_en --runs RUNS

trains a recogniser of phones on a published encoder and on LibriSpeech alone, and takes it to each domain with each method; the
encoder has never met the domains' recordings. What trains goes over the labelled sentences of LibriSpeech once more, at a low rate;
"no recordings of the domain" does so, too, without anything else, and is what the others are to be compared with. What is adapted
hears the training half of the domain (other speakers and other noises than in the test half), and its labels are not used. The
table has phone errors on the test half with 95 % intervals over speakers. What has been measured is not measured again: stop at
any time, and start the same command to go on.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import yaml

from benchmarks.quality.parts import Part, evenly, read_part
from speechzoo.adaptation import AdaptingRecognizer, minimize_entropy, pseudo_label, recompute_statistics
from speechzoo.config import DataConfig, PartConfig, SourceConfig, TrainingConfig, ZooConfig
from speechzoo.data.manifest import read_manifest, with_absolute_paths, write_manifest
from speechzoo.data.mixing import mix_somewhere, read_noises
from speechzoo.evaluation import evaluate
from speechzoo.files import write_atomically
from speechzoo.registry import load, read_config
from speechzoo.training.trainer import train
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

RATE = 16000
SNR = 5.0  # dB, of the kitchen
TELEPHONE = (300.0, 3400.0)  # Hz, the band of ITU-T G.712
LONGEST = 16.0  # seconds of a training sentence: one length for all, so that domains share batches
# A head learns fast on frames that rest; at such a rate an encoder would lose what it knows.
SOURCE_RATE, RATE_BEHIND = 1e-3, 1e-4
ENTROPY_RATE = 1e-4
BATCHES = {"bucket_seconds": [LONGEST], "seconds_per_batch": 6 * LONGEST}
SETTINGS = {"warmup_steps": 5, "weight_decay": 0.0, "evaluate_every": 100000, "sort_first_epoch": False}
PENALTIES = {"adversarial": {"type": "adversarial", "strength": 0.3}, "coral": {"type": "coral", "strength": 100.0},
             "mmd": {"type": "mmd", "strength": 3.0}}
# Method -> how the table calls it, in its order.
METHODS = {"source": "as it is", "statistics": "statistics taken anew", "episodic": "entropy, each recording alone",
           "entropy": "entropy, all recordings", "longer": "trained on, no recordings of the domain",
           "pseudo": "trained on, pseudo-labels", "adversarial": "trained on, DANN", "coral": "trained on, CORAL",
           "mmd": "trained on, MMD"}
DOMAINS = {"learners": "learners of English", "kitchen": f"kitchen, {SNR:g} dB", "telephone": "telephone"}


def through_telephone(audio: np.ndarray, sample_rate: int = RATE) -> np.ndarray:
    """What a telephone's band lets through, float32 (samples,)."""
    spectrum = np.fft.rfft(audio)
    hertz = np.fft.rfftfreq(len(audio), 1 / sample_rate)
    spectrum[(hertz < TELEPHONE[0]) | (hertz > TELEPHONE[1])] = 0
    return np.fft.irfft(spectrum, len(audio)).astype(np.float32)


def write_domain(folder: Path, part: Part, utterances: list[dict], domain: str, change: Callable | None) -> Path:
    """A manifest of the utterances, in the domain; `change(audio, id)` makes their audio, which is written, where it isn't None."""
    manifest = folder / "manifest.jsonl"
    if manifest.is_file():
        return manifest
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, utterance in enumerate(utterances):
        line = {**with_absolute_paths(utterance, part.folder.resolve()), "domain": domain}
        if change is not None:
            audio = np.asarray(change(part.audio(utterance, RATE), utterance["id"]), np.float32)
            soundfile.write(folder / f"{number}.flac", np.clip(audio, -1, 1), RATE)
            line = {key: value for key, value in line.items() if key not in ("record", "start")}
            line |= {"audio": f"{number}.flac", "duration": len(audio) / RATE}
        lines.append(line)
    write_manifest(manifest, lines)
    return manifest


def make_domains(data: Path, folder: Path, count: int) -> dict[str, tuple[Path, Path]]:
    """Domain -> manifests of `count` unlabelled recordings and of as many to test on; `source` has labels for training."""
    def usable(source):
        part = read_part(str(data / source))
        return part, [utterance for utterance in part.utterances if "phones" in utterance
                      and utterance.get("duration", LONGEST) <= LONGEST]

    (readers, heard), (_, tested) = usable("librispeech/manifest.jsonl:train"), usable("librispeech/manifest.jsonl:dev")
    learners, known = usable("speechocean762/manifest.jsonl:train")
    _, other = usable("speechocean762/manifest.jsonl:dev")
    # Half of the sentences have labels; what is unlabelled are the others, so that the words are not the same.
    labelled, unlabelled = evenly(heard[::2], count), evenly(heard[1::2], count)
    kitchens = [read_noises(data / "kitchen20" / "manifest.jsonl", split) for split in ("train", "dev")]
    made = {"source": write_domain(folder / "source", readers, labelled, "reader", None)}
    changes = {"learners": (None, None), "telephone": (lambda audio, _: through_telephone(audio),) * 2,
               "kitchen": tuple(lambda audio, name, noises=noises: mix_somewhere(audio, noises, SNR, name)
                                for noises in kitchens)}
    for domain in DOMAINS:
        part, adapted, measured = ((learners, known, other) if domain == "learners" else (readers, unlabelled, tested))
        made[domain] = tuple(write_domain(folder / domain / half, part, evenly(utterances, count), domain, change)
                             for half, utterances, change in zip(("adapt", "test"), (adapted, measured), changes[domain]))
    return made


def write_config(path: Path, encoder: str, manifest: Path, epochs: int) -> Path:
    """The source: a recogniser of phones whose head trains on the resting encoder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({
        "name": "reader", "summary": "Phones of readers.", "backbone": {"weights": str(encoder), "freeze": True},
        "heads": {"phones": {"type": "ctc", "units": "phones", "convolutions": 2}},
        "data": {"train": [{"manifest": str(manifest.resolve())}], **BATCHES},
        "training": {"epochs": epochs, "learning_rate": SOURCE_RATE, "cache_features": True, **SETTINGS}}), encoding="utf-8")
    return path


def trained_on(config: ZooConfig, sources: list[dict], penalties: list[dict]) -> ZooConfig:
    """The source's config for one more pass, in which all of it trains."""
    return dataclasses.replace(
        config, backbone=dataclasses.replace(config.backbone, freeze=False),
        data=DataConfig(root=config.data.root, train=[SourceConfig(**source) for source in sources], **BATCHES),
        training=TrainingConfig(epochs=1, learning_rate=RATE_BEHIND, penalties=[
            PartConfig(options["type"], {key: value for key, value in options.items() if key != "type"})
            for options in penalties], **SETTINGS))


def train_on(method: str, source: Path, made: dict, domain: str, run: Path, error: float) -> bool:
    """The source, trained on with one method; False when it was interrupted."""
    unlabelled, _ = made[domain]
    sources = [{"manifest": str(made["source"].resolve())}]
    penalties = []
    if method == "pseudo":
        # The threshold is set on readers, of whom there are labels: nobody has any of the domain.
        folder = run.with_name(f"{run.name}_labels")
        plain_manifest, heard = folder / "unlabelled.jsonl", folder / "heard.jsonl"
        lines = [{key: value for key, value in with_absolute_paths(line, unlabelled.parent.resolve()).items()
                  if key not in ("phones", "transcript", "alignment")} for line in read_manifest(unlabelled)]
        write_manifest(plain_manifest, lines)
        report = pseudo_label(source, plain_manifest, heard, ["phones"], dev=made["source"], error=error)
        print(f"  {report.labelled['phones']} of {report.recordings} labelled", flush=True)
        sources.append({"manifest": str(heard.resolve()), "labels": ["phones"]})
    elif method != "longer":
        options = dict(PENALTIES[method])
        penalties = [{**options, "block": load(source).backbone.num_blocks, "label": "domain",
                      **({} if method == "adversarial" else {"target": domain})}]
        sources.append({"manifest": str(unlabelled.resolve()), "labels": []})
    config = trained_on(read_config(source), sources, penalties)
    return train(config, run, weights=str(source)).ended != "interrupted"


def adapt(method: str, source: Path, made: dict, domain: str, runs: Path, error: float):
    """A model, or a recogniser, that a method has made of the source; None when it was interrupted, or doesn't apply."""
    unlabelled, _ = made[domain]
    model = load(source)
    if method == "episodic":
        return AdaptingRecognizer(model, ["phones"], learning_rate=ENTROPY_RATE)
    if method == "entropy":
        minimize_entropy(model, unlabelled, ["phones"], learning_rate=ENTROPY_RATE)
    elif method == "statistics":
        recompute_statistics(model, unlabelled)
    elif method != "source":
        run = runs / ("longer" if method == "longer" else f"{domain}_{method}")
        if not (run / "final.weights.h5").is_file() and not train_on(method, source, made, domain, run, error):
            return None
        return load(run)
    return model


def keeps_statistics(model) -> bool:
    """Whether a model has statistics to take anew."""
    return model.frontend.needs_adaptation or any("moving_mean" in weight.path for weight in model.weights)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--encoder", required=True, help="folder of `speechzoo import`, whose backbone reads")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs and of the domains' recordings")
    parser.add_argument("--utterances", type=int, default=240, help="of each half of a domain (%(default)s)")
    parser.add_argument("--epochs", type=int, default=20, help="of the source's head (%(default)s)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="only these")
    parser.add_argument("--error", type=float, default=0.2, help="most errors of pseudo-labels, on readers (%(default)g)")
    add_figures_option(parser, "domains")
    arguments = parser.parse_args()
    made = make_domains(arguments.data, arguments.runs / "domains", arguments.utterances)
    source = arguments.runs / "source"
    if not (source / "final.weights.h5").is_file():
        print("the source ...", flush=True)
        config = write_config(arguments.runs / "reader.yaml", arguments.encoder, made["source"], arguments.epochs)
        if train(config, source).ended == "interrupted":
            return
    methods = [name for name in METHODS if name in arguments.methods]
    if not keeps_statistics(load(source)):
        methods = [name for name in methods if name != "statistics"]
    rows = []
    for domain, title in DOMAINS.items():
        for method in methods:
            measured = arguments.runs / "figures" / f"{domain}_{method}.json"
            if not measured.is_file():
                print(f"{title}: {METHODS[method]} ...", flush=True)
                model = adapt(method, source, made, domain, arguments.runs, arguments.error)
                if model is None:
                    return
                figures = evaluate(model, [made[domain][1]], heads=["phones"])["overall"]["phones"]
                measured.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(measured, json.dumps(figures).encode())
            figures = json.loads(measured.read_text(encoding="utf-8"))
            low, high = figures.get("per_interval", (None, None))
            rows.append({"domain": title, "method": METHODS[method], "recordings": figures["n"], "per": figures["per"],
                         "low": low, "high": high})
    write_figures(arguments.figures, rows)
    print("\n".join(plain("domains", rows)))


if __name__ == "__main__":
    main()
