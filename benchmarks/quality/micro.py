"""What a model for a microcontroller loses: every head in Keras, and as its network and front end in integers.

    python -m benchmarks.quality.micro mtl_ds_cnn_micro --data PREPARED

evaluates both on the model's dev sources (speakers held out of training). Either hears one window of each recording,
the loudest: a microcontroller's network hears a fixed length. It is calibrated with the first training source.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from speechzoo.evaluation import evaluate
from speechzoo.exporters.micro import MicroModel, export_micro
from speechzoo.registry import load


class LoudestWindow:
    """A model that hears one window of an utterance, which begins at a hundredth of a second."""

    def __init__(self, spec: dict, outputs, samples: int):
        self.spec, self.outputs_of, self.length = spec, outputs, samples

    def outputs(self, audio: np.ndarray, heads=None) -> dict:
        """Every head's output for the loudest window of float32 (samples,), whichever `heads` are asked for."""
        audio = np.pad(audio, (0, max(0, self.length - len(audio))))
        energy = np.concatenate([[0.0], np.cumsum(np.square(audio, dtype=np.float64))])
        starts = np.arange(0, len(audio) - self.length + 1, self.spec["sample_rate"] // 100)
        start = starts[np.argmax(energy[starts + self.length] - energy[starts])]
        return self.outputs_of(audio[start:start + self.length])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name of a zoo model, or folder of a training run")
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpora")
    parser.add_argument("--window", type=float, default=1.0, help="seconds that the network hears at once, 1")
    arguments = parser.parse_args()
    model = load(arguments.model)
    config = model.zoo_config
    with tempfile.TemporaryDirectory() as folder:
        written = export_micro(model, folder, arguments.data / config.data.train[0].manifest,
                               window_seconds=arguments.window)
        micro = MicroModel((written.path / f"{model.name}.tflite").read_bytes(), model)
    sources = config.dev_sources(arguments.data)
    figures = [evaluate(LoudestWindow(model.spec(), outputs, micro.window_samples), sources)
               for outputs in (model.outputs_of, micro.outputs)]
    table = Table("head", "corpus", "utterances", "Keras", "integers", box=None,
                  title=f"{model.name}: accuracy in {arguments.window:g} s, by {micro.runtime}")
    for corpus, heads in figures[0].items():
        for head, values in () if corpus in ("overall", "_skipped") else heads.items():
            accuracies = (f"{100 * each[corpus][head]['accuracy']:.1f} %" for each in figures)
            table.add_row(head, corpus, str(values["n"]), *accuracies)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
