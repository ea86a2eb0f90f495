"""One training step of the flagship's encoder beside the same network in PyTorch.

Both sides run the same Conformer (`transformers.ParakeetEncoder` in PyTorch) with the same parameters, batch of log-mel
features, CTC loss and AdamW, on the same cores, alternating, each in a process of its own, so that either framework may
live in another environment. The features are random numbers: time does not depend on them.

    python -m benchmarks.speed.train_step --cores 2 --torch-python .venv-parity/bin/python
"""

import argparse
import json
import math
import statistics
import sys
import time

from benchmarks.speed.children import run_child
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

SIZE, BLOCKS, HEADS, MEL_BINS, UNITS = 144, 8, 4, 80, 29
UTTERANCES, FRAMES, TOKENS = 24, 400, 50  # 96 s of audio in utterances of 4 s


def keras_train(steps: int, threads: int) -> dict:
    """Seconds of each training step in Keras on TensorFlow, and the number of parameters."""
    import keras
    import numpy as np
    import tensorflow as tf

    from speechzoo.heads import HEADS as REGISTERED

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    keras.utils.set_random_seed(1)
    encoder, head = _keras_encoder(), REGISTERED["ctc"](units="characters", name="transcript")
    features = keras.Input((None, MEL_BINS), name="features")
    lengths = keras.Input((), dtype="int32", name="lengths")
    frames, frame_lengths = encoder(features, lengths)
    model = keras.Model([features, lengths], head(frames[-1], frame_lengths))
    model.compile(keras.optimizers.AdamW(1e-4), loss=head.loss(), jit_compile=False)
    random = np.random.default_rng(1)
    batch = [random.standard_normal((UTTERANCES, FRAMES, MEL_BINS)).astype("float32"),
             np.full(UTTERANCES, FRAMES, "int32")]
    targets = random.integers(1, UNITS, (UTTERANCES, TOKENS)).astype("int32")
    return {"times": _timed(lambda: model.train_on_batch(batch, targets), steps), "parameters": _trainable(encoder)}


def torch_train(steps: int, threads: int) -> dict:
    """Seconds of each training step in PyTorch, and the number of parameters."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    encoder = _torch_encoder().train()
    head = torch.nn.Linear(SIZE, UNITS)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=1e-4)
    features = torch.randn(UTTERANCES, FRAMES, MEL_BINS)
    mask = torch.ones(UTTERANCES, FRAMES, dtype=torch.bool)
    targets = torch.randint(1, UNITS, (UTTERANCES, TOKENS))
    target_lengths = torch.full((UTTERANCES,), TOKENS)

    def step():
        optimizer.zero_grad(set_to_none=True)
        logits = head(encoder(features, attention_mask=mask).last_hidden_state)
        lengths = torch.full((UTTERANCES,), logits.shape[1])
        loss = torch.nn.functional.ctc_loss(logits.log_softmax(-1).transpose(0, 1), targets, lengths, target_lengths)
        loss.backward()
        optimizer.step()
        return float(loss)

    return {"times": _timed(step, steps), "parameters": sum(parameter.numel() for parameter in encoder.parameters())}


def _keras_encoder():
    from speechzoo.backbones import Conformer
    return Conformer(SIZE, BLOCKS, HEADS, subsampling=4, subsampling_channels=64, dropout=0.1, name="backbone")


def _trainable(encoder):
    # The statistics of batch normalization are buffers in PyTorch and no parameters.
    return sum(math.prod(weight.shape) for weight in encoder.trainable_variables)


def _torch_encoder():
    from benchmarks.speed.parakeet import make_encoder
    return make_encoder(SIZE, BLOCKS, HEADS, MEL_BINS)


def _timed(step, steps):
    for _ in range(3):
        step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times


WORK = {work.__name__: work for work in (keras_train, torch_train)}


def main():
    """Runs both sides in alternation, prints times and writes them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", default=sys.executable, metavar="PATH",
                        help="Python that has torch and transformers")
    parser.add_argument("--steps", type=int, default=10, help="steps timed in each process (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each side, alternating (%(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="cores (%(default)s)")
    add_figures_option(parser, "train_step")
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        print(json.dumps(WORK[arguments.work](arguments.steps, arguments.threads)))
        return
    times, parameters = {work: [] for work in WORK}, {}
    for _ in range(arguments.rounds):
        for work, python in (("keras_train", sys.executable), ("torch_train", arguments.torch_python)):
            result = run_child(python, ["-m", "benchmarks.speed.train_step", "--work", work,
                                        "--steps", arguments.steps, "--threads", arguments.cores], arguments.cores)
            times[work] += result["times"]
            parameters[work] = result["parameters"]
    rows = [{"framework": framework, "audio_seconds": UTTERANCES * FRAMES // 100, "cores": arguments.cores,
             "median_seconds": statistics.median(times[work]), "best_seconds": min(times[work]),
             "parameters": parameters[work]}
            for work, framework in (("keras_train", "Keras on TensorFlow"), ("torch_train", "PyTorch"))]
    print("\n".join(plain("train_step", rows)))
    print(f"PyTorch takes {rows[1]['median_seconds'] / rows[0]['median_seconds']:.2f} times as long")
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
