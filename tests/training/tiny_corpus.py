"""A corpus of tones and a config that trains on it in seconds; run as a program it trains in a process of its own."""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

from tests.helpers import tone, without_graphs, write_wav

# For `tests.on_jax`.
AS_PROGRAM = 'import runpy\nrunpy.run_module("tests.training.tiny_corpus", run_name="__main__")\n'
SPEAKERS = ["speaker_0", "speaker_1", "speaker_2"]
CONFIG = """
summary: Low and high tones.
frontend: {type: log_mel, num_mel_bins: 20, frequency_masks: 1, frequency_mask_width: 4}
backbone: {type: ds_cnn, channels: 8, num_blocks: 1}
heads:
  keyword: {type: classifier, classes: [low, high], dropout: 0.2}
  speaker: {type: speaker, embedding_size: 8}
data:
  train: [{manifest: tones.jsonl, split: train}]
  dev: [{manifest: tones.jsonl, split: dev}]
  seconds_per_batch: 2.0
  bucket_seconds: [0.6]
  augment: {gain: {probability: 0.5, minimum: -6, maximum: 6}}
training: {epochs: 3, learning_rate: 0.01, warmup_steps: 3, evaluate_every: 6, checkpoint_every: 3, ema_momentum: 0.9,
           average_checkpoints: 2}
"""


def make_corpus(folder: Path) -> Path:
    """Writes 24 tones, their manifest and the config; returns the config's path."""
    lines = []
    for number in range(24):
        seconds = 0.4 + 0.02 * (number % 7)
        write_wav(folder / f"{number}.wav", tone(seconds, (300, 900)[number % 2] + 10 * number, seed=number))
        speaker = {"speaker": SPEAKERS[number % 3]} if number % 4 else {}
        lines.append({"id": f"tone_{number}", "audio": f"{number}.wav", "duration": seconds,
                      "split": "dev" if number >= 18 else "train", "keyword": ("low", "high")[number % 2], **speaker})
    (folder / "tones.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "tiny.yaml").write_text(CONFIG)
    return folder / "tiny.yaml"


def final_outputs(config, output):
    """Every head's output for one tone, with the final weights of the run in `output`."""
    from speechzoo.config import load_config
    from speechzoo.multitask.build import build_model
    from speechzoo.weights import load_weights

    model = build_model(load_config(config), labels={"speaker": SPEAKERS})
    load_weights(model, output / "final.weights.h5")
    return model.batch_outputs([tone(0.5, 500.0, seed=1)])[0]


def main(config, output, moment, overrides):
    """Trains; at `moment` ("step 5", "rename 3") the process kills itself; "outputs" stores the final ones."""
    import keras

    from speechzoo.training import trainer

    trainer.LOG_EVERY = 1
    what, _, number = moment.partition(" ")
    renames = []

    def on_record(record):
        if what == "step" and record["event"] == "train" and record["step"] == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    def rename(source, target, replace=os.replace):
        renames.append(target)
        if what == "rename" and str(target).endswith("checkpoint.h5") and \
                sum(str(name).endswith("checkpoint.h5") for name in renames) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = rename
    with without_graphs() if keras.backend.backend() == "tensorflow" else contextlib.nullcontext():
        trainer.train(config, output, overrides=overrides, on_record=on_record)
    if what == "outputs":
        np.savez(output / "outputs.npz", **final_outputs(config, output))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
