"""One training step of a zoo model in float32 and in bfloat16, on the same cores, alternating.

    python -m benchmarks.speed.precision mtl_whisper_tiny --cores 1

Each side runs in a process of its own, on the same random batch of audio; time does not depend on what is heard.
"""

import argparse
import json
import statistics
import sys
import time

from benchmarks.speed.children import run_child
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

SECONDS, UTTERANCES = 4, 15  # 60 s of audio
ROUNDS = 3


def measure(name: str, precision: str, steps: int) -> list[float]:
    """Seconds of each training step."""
    import keras
    import numpy as np

    from speechzoo.audio import SAMPLE_RATE
    from speechzoo.config import load_config
    from speechzoo.multitask.build import build_model
    from speechzoo.training.precision import use_precision
    from speechzoo.training.schedule import make_optimizer
    from speechzoo.training.step import make_train_step

    use_precision(precision)
    keras.utils.set_random_seed(1)
    config = load_config(name)
    heads = [head for head in config.heads if config.heads[head].type in ("ctc", "classifier")]
    model = build_model(config, heads=heads, training=True)
    model.compile(make_optimizer(config.training, 1000))
    step = make_train_step(model)
    random = np.random.default_rng(1)
    samples = SECONDS * SAMPLE_RATE
    inputs = {"audio": 0.1 * random.standard_normal((UTTERANCES, samples)).astype(np.float32),
              "audio_length": np.full(UTTERANCES, samples, np.int32)}
    targets = {head: random.integers(1, 20, (UTTERANCES, 12 * SECONDS)).astype(np.int32) if layer.target_shape
               else np.zeros(UTTERANCES, np.int32) for head, layer in model.heads.items()}
    weights = {head: np.ones(UTTERANCES, np.float32) for head in model.heads}
    times = []
    for _ in range(steps + 1):
        started = time.perf_counter()
        step(inputs, targets, weights)
        times.append(time.perf_counter() - started)
    return times[1:]  # the first makes the graph


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="name of a zoo model, or a config's path")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5, help="training steps in each of three rounds")
    add_figures_option(parser, "precision")
    parser.add_argument("--precision", help=argparse.SUPPRESS)  # of a child
    arguments = parser.parse_args()
    if arguments.precision:
        print(json.dumps(measure(arguments.model, arguments.precision, arguments.steps)))
        return
    times = {"float32": [], "bfloat16": []}
    for _ in range(ROUNDS):
        for precision, seconds in times.items():
            command = ["-m", "benchmarks.speed.precision", arguments.model, "--steps", arguments.steps,
                       "--precision", precision]
            seconds += run_child(sys.executable, command, arguments.cores)
    rows = [{"model": arguments.model, "precision": precision, "audio_seconds": SECONDS * UTTERANCES,
             "cores": arguments.cores, "median_seconds": statistics.median(seconds), "best_seconds": min(seconds)}
            for precision, seconds in times.items()]
    print("\n".join(plain("precision", rows)))
    print(f"bfloat16 is {rows[0]['median_seconds'] / rows[1]['median_seconds']:.2f} times as fast")
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
