"""What a model for a microcontroller loses: every head in Keras, and as its network and front end in integers.

    python -m benchmarks.quality.micro mtl_ds_cnn_micro --data PREPARED

evaluates both on the model's dev sources (speakers held out of training). Either hears one window of each recording,
the loudest: a microcontroller's network hears a fixed length. It is calibrated with the first training source.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from speechzoo.decoding.recognizer import Recognizer
from speechzoo.evaluation import evaluate
from speechzoo.exporters.micro import MicroModel, export_micro
from speechzoo.registry import load
from tools.figures import add_figures_option, write_figures
from tools.markdown import table_of


class LoudestWindow(Recognizer):
    """A model that hears one window of an utterance, which begins at a hundredth of a second."""

    def __init__(self, model: Recognizer, samples: int):
        self.model, self.spec, self.length = model, model.spec, samples

    def batch_outputs(self, audios: list[np.ndarray], heads: list[str] | None = None) -> list[dict[str, np.ndarray]]:
        """The heads' outputs for the loudest window of each recording."""
        return self.model.batch_outputs([self._loudest(audio) for audio in audios], heads)

    def _loudest(self, audio):
        audio = np.pad(audio, (0, max(0, self.length - len(audio))))
        energy = np.concatenate([[0.0], np.cumsum(np.square(audio, dtype=np.float64))])
        starts = np.arange(0, len(audio) - self.length + 1, self.spec["sample_rate"] // 100)
        start = starts[np.argmax(energy[starts + self.length] - energy[starts])]
        return audio[start:start + self.length]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name of a zoo model, or folder of a training run")
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--window", type=float, nargs="+", default=[1.0], metavar="SECONDS",
                        help="what the network hears at once, 1; docs/micro.md has 1 and 2")
    add_figures_option(parser, "micro")
    arguments = parser.parse_args()
    model, rows = load(arguments.model), {}
    for window in arguments.window:
        keras, integers = measure(model, arguments.data, window)
        for corpus, heads in keras.items():
            for head, values in () if corpus in ("overall", "_skipped") else heads.items():
                row = rows.setdefault((head, corpus), {"head": head, "corpus": corpus, "utterances": values["n"]})
                row[f"keras_{window:g}s"] = values["accuracy"]
                row[f"integers_{window:g}s"] = integers[corpus][head]["accuracy"]
    write_figures(arguments.figures, list(rows.values()))
    print("\n".join(table_of(list(rows.values()), {name: f"{{{name}}}" for name in next(iter(rows.values()))}, left=2)))


def measure(model, data: Path, window: float) -> list[dict]:
    """What `evaluate` says of Keras and of the integers, both on windows of so many seconds."""
    config = model.zoo_config
    with tempfile.TemporaryDirectory() as folder:
        written = export_micro(model, folder, data / config.data.train[0].manifest, window_seconds=window)
        micro = MicroModel((written.path / f"{model.name}.tflite").read_bytes(), model)
    print(f"{model.name} in {window:g} s, by {micro.runtime}", flush=True)
    sources = config.dev_sources(data)
    return [evaluate(LoudestWindow(each, micro.window_samples), sources) for each in (model, micro)]


if __name__ == "__main__":
    main()
