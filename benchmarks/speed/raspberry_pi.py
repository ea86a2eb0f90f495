"""How much of a Raspberry Pi 4 the streaming models take, calculated: no board is needed.

    python -m benchmarks.speed.raspberry_pi

XNNPACK, which computes float32 in TFLite, publishes what MobileNet v1 takes on the board: 75 ms on its four cores, so 300
ms on one at the most, as four are at most four times as fast. The same network is timed here on one core, in alternation
with steps of the streaming models (of random weights: time does not depend on them); what a step takes here, times how
much faster this core is, is what it takes there. Times are the best of all: a machine that is shared makes some slower,
and none faster. The table is written between the two marks of docs/streaming.md.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed.children import run_child
from tools.marked_page import write_between

PAGE = Path(__file__).resolve().parents[2] / "docs" / "streaming.md"
BEGIN, END = "<!-- written by benchmarks/speed/raspberry_pi.py -->", "<!-- end of what it wrote -->"
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


def table(best: dict[str, dict], macs: dict[str, float]) -> list[str]:
    """A row for each model: its step here, and there."""
    slower = BOARD_CORES * BOARD_MS / best[YARDSTICK]["ms"]
    lines = [f"A core of this machine: MobileNet v1 in {best[YARDSTICK]['ms']:.1f} ms; one of the board: "
             f"{BOARD_CORES * BOARD_MS:.0f} ms at the most, {slower:.0f} times as long.", "",
             "| | format | million multiply-accumulates a second of audio | step, ms of audio | computed here in, ms | "
             "on the board, ms | share of one of its cores |", "|---|---|---|---|---|---|---|"]
    for file, figures in best.items():
        if file != YARDSTICK:
            name, quantize = file.split()
            there = figures["ms"] * slower
            lines.append(f"| `{name}` | {FORMATS[quantize]} | {macs[file]:.0f} | {1e3 * figures['seconds']:.0f} | "
                         f"{figures['ms']:.2f} | {there:.1f} | {there / (1e3 * figures['seconds']):.0%} |")
    return lines


def main(arguments):
    """Makes the files, times them in alternation, prints the table and writes it into the page."""
    with tempfile.TemporaryDirectory() as name:
        folder, best = Path(name), {}
        macs = make_files(folder)
        for _ in range(arguments.rounds):
            for model in macs:
                found = run_child(sys.executable, ["-m", "benchmarks.speed.raspberry_pi", "--work",
                                                   folder / f"{model}.tflite", "--repeats", arguments.repeats], 1)
                if model not in best or found["ms"] < best[model]["ms"]:
                    best[model] = found
    lines = table(best, macs)
    print("\n".join(lines))
    write_between(PAGE, BEGIN, END, lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100, help="steps timed in each process (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="processes of each network, alternating (%(default)s)")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        print(json.dumps(time_steps(given.work, given.repeats)))
    else:
        main(given)
