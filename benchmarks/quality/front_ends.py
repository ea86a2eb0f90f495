"""Front ends that adapt, beside a log-mel spectrogram: keywords that are missed where it is louder, quieter, further away or noisy.

    python -m benchmarks.quality.front_ends --data PREPARED --runs RUNS

trains the keywords of `mtl_tc_resnet_tiny` once with each front end, with noise, but without changes of level and without rooms, so
that what the front end does isn't learnt from examples. Held-out keywords are then heard as they are and changed, and so are
words that are none. The threshold of each model and condition is that at which one in twenty other words is taken for a keyword;
missed is a keyword that is below it, or another. What has been trained is not trained again: stop at any time, and start the same
command to go on.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from benchmarks.quality.parts import evenly, read_part
from speechzoo.config import ZooConfig, load_config
from speechzoo.data.augment import change_gain, reverberate
from speechzoo.data.mixing import mix_somewhere, read_noises
from speechzoo.data.rooms import make_rooms
from speechzoo.decoding.answers.classifier import class_probabilities
from speechzoo.files import write_atomically
from speechzoo.registry import load
from speechzoo.training.trainer import train
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import TABLES

MODEL = "mtl_tc_resnet_tiny"
# What the table calls it -> the front end in place of the model's own.
FRONT_ENDS = {
    "log-mel, mean and variance of the training data": {"type": "log_mel"},
    "log-mel, of the utterance": {"type": "log_mel", "normalization": "utterance"},
    "log-mel, running": {"type": "log_mel", "normalization": "running"},
    "PCEN, fixed": {"type": "pcen", "trained": False},
    "PCEN": {"type": "pcen"},
    "LEAF": {"type": "leaf"},
    "VTLN, perturbed only": {"type": "vtln", "warp": 0.0},
    "VTLN": {"type": "vtln"},
}
ALLOWED = 0.05  # of other words, taken for a keyword
ROOM_SECONDS = 0.7  # reverberation time
MAXIMUM = 1000  # recordings of keywords, and of other words


def with_front_end(config: ZooConfig, options: dict) -> ZooConfig:
    """The config's keywords behind another front end, with its masks, without changes of level and rooms."""
    masks = {name: value for name, value in config.frontend.options.items() if "mask" in name}
    augment = config.data.augment
    off = type(augment.gain)()
    return dataclasses.replace(
        config, heads=config.select_heads(["keyword"]),
        frontend=type(config.frontend)(options["type"], {"num_mel_bins": 40, **masks,
                                                         **{name: value for name, value in options.items() if name != "type"}}),
        data=dataclasses.replace(config.data, augment=dataclasses.replace(augment, gain=off, reverberation=off)))


def conditions(noises: list[np.ndarray]) -> dict:
    """Name of a condition -> what it makes of (audio, name of the recording)."""
    room, = make_rooms(1, (ROOM_SECONDS, ROOM_SECONDS), seed=1)

    def noisy(audio, name):
        return mix_somewhere(audio, noises, 5.0, name)

    return {
        "as_it_is": lambda audio, name: audio,
        "quieter": lambda audio, name: change_gain(audio, -20.0),
        "louder": lambda audio, name: change_gain(audio, 20.0),
        "room": lambda audio, name: reverberate(audio, room),
        "noise": noisy,
        "all": lambda audio, name: change_gain(noisy(reverberate(audio, room), name), -20.0),
    }


def missed(probabilities: np.ndarray, classes: list[str], keywords: list[str | None]) -> np.ndarray:
    """Which keywords are missed at the threshold that lets `ALLOWED` of the other words through.

    Args:
        probabilities: (recordings, classes).
        classes: Names of the classes; those that begin with an underscore are no keywords.
        keywords: What each recording is, None where it is none.

    Returns:
        bool (keywords,).
    """
    columns = [number for number, name in enumerate(classes) if not name.startswith("_")]
    names = [classes[number] for number in columns]
    scores, best = probabilities[:, columns].max(axis=1), probabilities[:, columns].argmax(axis=1)
    others = np.array([keyword is None for keyword in keywords])
    threshold = np.quantile(scores[others], 1 - ALLOWED)
    return np.array([scores[row] <= threshold or names[best[row]] != keyword
                     for row, keyword in enumerate(keywords) if keyword is not None])


def measure(run: Path, data: Path) -> dict:
    """How many keywords there are, and the share of them that is missed in each condition."""
    model = load(run)
    head = model.spec["heads"]["keyword"]
    recordings = []
    for source in ("speech_commands/manifest.jsonl:validation", "wake_words/manifest.jsonl:dev"):
        part = read_part(str(data / source))
        words = [utterance for utterance in part.utterances if utterance.get("keyword") != "_silence_"]
        for known in (True, False):
            of_kind = [utterance for utterance in words if (not utterance["keyword"].startswith("_")) == known]
            recordings += [(part.audio(utterance, model.zoo_config.sample_rate), utterance) for utterance in evenly(of_kind, MAXIMUM)]
    keywords = [None if utterance["keyword"].startswith("_") else utterance["keyword"] for _, utterance in recordings]
    noises = read_noises(data / "kitchen20" / "manifest.jsonl", "dev")
    figures = {"keywords": sum(keyword is not None for keyword in keywords)}
    for name, change in conditions(noises).items():
        audios = [np.asarray(change(audio, utterance["id"]), np.float32) for audio, utterance in recordings]
        outputs = [output for first in range(0, len(audios), 64) for output in model.batch_outputs(audios[first:first + 64])]
        probabilities = np.stack([class_probabilities(np.asarray(output["keyword"]), head) for output in outputs])
        figures[name] = float(missed(probabilities, head["classes"], keywords).mean())
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--epochs", type=int, default=12, help="of the model's training (%(default)s)")
    add_figures_option(parser, "front_ends")
    arguments = parser.parse_args()
    config = load_config(MODEL, [f"data.root={arguments.data.resolve()}", f"training.epochs={arguments.epochs}"])
    rows = []
    for number, (title, options) in enumerate(FRONT_ENDS.items()):
        run = arguments.runs / f"front_end_{number}"
        measured = run / "keywords.json"
        if not measured.is_file():
            print(f"{title} ...", flush=True)
            if train(with_front_end(config, options), run).ended == "interrupted":
                return
            write_atomically(measured, (json.dumps(measure(run, arguments.data), indent=1) + "\n").encode())
        rows.append({"front_end": title, **json.loads(measured.read_text(encoding="utf-8"))})
    write_figures(arguments.figures, rows)
    print("\n".join(TABLES["front_ends"](arguments.figures.parent)))


if __name__ == "__main__":
    main()
