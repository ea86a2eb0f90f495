"""How much of a Raspberry Pi 4 the streaming models take, calculated: no board is needed.

    python -m benchmarks.speed.raspberry_pi

XNNPACK, which computes float32 in TFLite, publishes what MobileNet v1 takes on the board: 75 ms on its four cores, so 300
ms on one at the most, as four are at most four times as fast. The same network is timed here on one core, in alternation
with steps of the streaming models (of random weights: time does not depend on them); what a step takes here, times how
much faster this core is, is what it takes there. Times are the best of all: a machine that is shared makes some slower,
and none faster.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed.children import run_child
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

# MobileNet v1 1.0, float32, 224 x 224: https://github.com/google/XNNPACK, README, "Raspberry Pi" (12 February 2020).
BOARD_MS, BOARD_CORES = 75.0, 4
YARDSTICK = "mobilenet"
FORMATS = {"none": "float32", "dynamic": "dynamic"}


def make_files(folder: Path) -> dict[str, float]:
    """Writes MobileNet in float32 and every streaming model of the zoo in each format; million multiply-accumulates of
    each file, for one image or for a second of audio."""
    import keras
    import tensorflow as tf

    import speechzoo
    from speechzoo.exporters.network.macs import count_tflite_macs

    network = keras.applications.MobileNet(weights=None)
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint("classify", lambda image: {"classes": network(image, training=False)},
                         [tf.TensorSpec((1, 224, 224, 3), tf.float32, "image")])
    archive.write_out(folder / "saved", verbose=False)
    path = folder / f"{YARDSTICK}.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved"),
                                                              signature_keys=["classify"]).convert())
    macs = {YARDSTICK: 569.0}  # Howard et al. 2017, table 8
    for name in speechzoo.list_models("*_streaming"):
        model = speechzoo.load(name, weights=None)
        for quantize in FORMATS:
            path = speechzoo.export(model, folder / quantize, format="tflite", quantize=quantize,
                                    signatures=["stream_step"])
            path = path.rename(folder / f"{name} {quantize}.tflite")
            macs[path.stem] = count_tflite_macs(path) / 1e6
    return macs


def time_steps(path: Path, repeats: int) -> dict:
    """Best milliseconds of an image or a step, and the seconds of audio of a step."""
    import numpy as np

    if path.stem == YARDSTICK:
        from ai_edge_litert.interpreter import Interpreter

        classify = Interpreter(str(path), num_threads=1).get_signature_runner("classify")
        image, seconds = np.random.default_rng(1).random((1, 224, 224, 3), np.float32), 0.0

        def step():
            classify(image=image)
    else:
        from speechzoo.edge.edge_model import EdgeModel

        model = EdgeModel(path)
        length = model.spec["stream"]["step_samples"]
        state, seconds = model.initial_state(), length / model.spec["sample_rate"]
        samples = (0.1 * np.random.default_rng(1).standard_normal((1, length))).astype(np.float32)

        def step():
            nonlocal state
            _, state = model.stream_step(samples, state)
    times = []
    for _ in range(repeats + 5):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return {"ms": 1e3 * min(times[5:]), "seconds": seconds}


def figures_of(best: dict[str, dict], macs: dict[str, float]) -> list[dict]:
    """A row per network, MobileNet first: milliseconds of an image or a step here, and on the board."""
    slower = BOARD_CORES * BOARD_MS / best[YARDSTICK]["ms"]
    rows = [{"model": "MobileNet v1", "format": "float32", "million_macs": None, "step_ms": None,
             "here_ms": best[YARDSTICK]["ms"], "board_ms": BOARD_CORES * BOARD_MS, "share": None}]
    for file, figures in best.items():
        if file != YARDSTICK:
            model, quantize = file.split()
            there = figures["ms"] * slower
            rows.append({"model": model, "format": FORMATS[quantize], "million_macs": macs[file],
                         "step_ms": 1e3 * figures["seconds"], "here_ms": figures["ms"], "board_ms": there,
                         "share": there / (1e3 * figures["seconds"])})
    return rows


def main(arguments):
    """Makes the files, times them in alternation, prints the table and writes the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder, best = Path(name), {}
        macs = make_files(folder)
        for _ in range(arguments.rounds):
            for model in macs:
                found = run_child(sys.executable, ["-m", "benchmarks.speed.raspberry_pi", "--work",
                                                   folder / f"{model}.tflite", "--repeats", arguments.repeats], 1)
                if model not in best or found["ms"] < best[model]["ms"]:
                    best[model] = found
    rows = figures_of(best, macs)
    print("\n".join(plain("raspberry_pi", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100, help="steps timed in each process (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="processes of each network, alternating (%(default)s)")
    add_figures_option(parser, "raspberry_pi")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        print(json.dumps(time_steps(given.work, given.repeats)))
    else:
        main(given)
