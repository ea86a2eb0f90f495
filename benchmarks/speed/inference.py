"""An answer of the flagship's encoder on one core: TFLite files beside PyTorch and ONNX Runtime with the same weights.

    python -m benchmarks.speed.inference --torch-python .venv-onnx/bin/python

All run the same Conformer (`transformers.ParakeetEncoder`, of random weights) on the same log-mel features, of any
number of frames, each in a process of its own, in alternation. The Python of `--torch-python` needs torch, transformers,
onnx and onnxruntime. Every network's output is compared with PyTorch's. Times are the best of all answers: a machine
that is shared makes some slower, and none faster. The table is written between the two marks of docs/speed.md.
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

SIZE, BLOCKS, HEADS, MEL_BINS = 144, 6, 4, 80
LENGTHS = (1, 3, 10)  # seconds of audio
NETWORKS = {
    "torch": "PyTorch, float32",
    "onnx_float32": "ONNX Runtime, float32",
    "onnx_int8": "ONNX Runtime, int8 weights, dynamic",
    "tflite_float32": "TFLite, float32",
    "tflite_dynamic": "TFLite, int8 weights, dynamic",
}


def features_of(seconds: int):
    """Random features, float32 (1, frames, bins): time does not depend on what they are."""
    import numpy as np
    return np.random.default_rng(seconds).standard_normal((1, 100 * seconds, MEL_BINS)).astype("float32")


# -- the networks, made by one process of each side --------------------------------------------------------------------


def make_torch(folder: Path):
    """Weights for the other side, and the ONNX files."""
    import numpy as np
    import torch
    from onnxruntime.quantization import quantize_dynamic
    from benchmarks.speed.parakeet import mapped_weights

    encoder = _torch_encoder()
    state = {name: tensor.numpy() for name, tensor in encoder.state_dict().items()}
    np.savez(folder / "weights.npz", **mapped_weights(state, BLOCKS, HEADS))
    # The newer exporter (dynamo=True) fails on this encoder's attention with a dynamic number of frames.
    with torch.no_grad():
        torch.onnx.export(encoder, (torch.tensor(features_of(3)),), folder / "onnx_float32.onnx", dynamo=False,
                          input_names=["features"], output_names=["frames"], dynamic_axes={"features": {1: "time"}})
    quantize_dynamic(folder / "onnx_float32.onnx", folder / "onnx_int8.onnx")


def make_tflite(folder: Path):
    """The TFLite files."""
    import keras
    import numpy as np
    import tensorflow as tf
    from benchmarks.speed.parakeet import assign_weights

    from speechzoo.backbones import Conformer

    encoder = Conformer(SIZE, BLOCKS, HEADS, subsampling=4, subsampling_channels=64, name="backbone")
    encoder.build((None, None, MEL_BINS))
    assign_weights(encoder, np.load(folder / "weights.npz"))
    archive = keras.export.ExportArchive()
    archive.track(encoder)
    archive.add_endpoint("encode", lambda features: {"frames": encoder(features, None, training=False)[0][-1]},
                         [tf.TensorSpec((1, None, MEL_BINS), tf.float32, "features")])
    archive.write_out(folder / "saved", verbose=False)
    for name in ("float32", "dynamic"):
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved"), signature_keys=["encode"])
        if name == "dynamic":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        (folder / f"tflite_{name}.tflite").write_bytes(converter.convert())


def _torch_encoder():
    import torch
    from benchmarks.speed.parakeet import make_encoder
    torch.manual_seed(1)
    return make_encoder(SIZE, BLOCKS, HEADS, MEL_BINS).eval()


# -- answers -----------------------------------------------------------------------------------------------------------


def open_torch(folder: Path, threads: int):
    """features -> frames, NumPy."""
    import torch

    torch.set_num_threads(threads)
    encoder = _torch_encoder()

    def answer(features):
        with torch.inference_mode():
            return encoder(torch.from_numpy(features)).last_hidden_state.numpy()
    return answer


def open_onnx(path: Path, threads: int):
    """features -> frames, NumPy."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda features: session.run(["frames"], {"features": features})[0]


def open_tflite(path: Path, threads: int):
    """features -> frames, NumPy."""
    from ai_edge_litert.interpreter import Interpreter

    encode = Interpreter(str(path), num_threads=threads).get_signature_runner("encode")
    return lambda features: encode(features=features)["frames"]


def answer_all(name: str, folder: Path, threads: int, repeats: int) -> dict:
    """Seconds of every answer of one network, by seconds of audio; its outputs are left in the folder."""
    import numpy as np

    if name == "torch":
        answer = open_torch(folder, threads)
    elif name.startswith("onnx"):
        answer = open_onnx(folder / f"{name}.onnx", threads)
    else:
        answer = open_tflite(folder / f"{name}.tflite", threads)
    times = {}
    for seconds in LENGTHS:
        features = features_of(seconds)
        for _ in range(3):
            output = answer(features)
        np.save(folder / f"{name}_{seconds}.npy", output)
        times[str(seconds)] = []
        for _ in range(repeats):
            start = time.perf_counter()
            answer(features)
            times[str(seconds)].append(time.perf_counter() - start)
    return times


# -- the command -------------------------------------------------------------------------------------------------------


def figures_of(times: dict, differences: dict, sizes: dict) -> list[dict]:
    """A row per network: best milliseconds of each length, and ONNX Runtime's float32 time over its own."""
    best = {name: {length: 1e3 * min(values) for length, values in lengths.items()} for name, lengths in times.items()}
    return [{"network": text, "megabytes": sizes.get(name),
             **{f"ms_{length}s": value for length, value in best[name].items()},
             **{f"speed_{length}s": best["onnx_float32"][length] / value for length, value in best[name].items()},
             "difference": differences[name]} for name, text in NETWORKS.items()]


def main(arguments):
    """Makes the networks, times them in alternation, prints the table and writes the figures."""
    import numpy as np

    python = {name: arguments.torch_python if name.startswith(("torch", "onnx")) else sys.executable
              for name in NETWORKS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def work(python, what):
            return run_child(python, ["-m", "benchmarks.speed.inference", "--work", what, "--folder", folder,
                                      "--threads", arguments.threads, "--repeats", arguments.repeats],
                             arguments.threads)

        work(arguments.torch_python, "make_torch")
        work(sys.executable, "make_tflite")
        times = {name: {str(length): [] for length in LENGTHS} for name in NETWORKS}
        for _ in range(arguments.rounds):
            for name in NETWORKS:
                for length, values in work(python[name], name).items():
                    times[name][length] += values
        expected = np.load(folder / "torch_3.npy")
        differences = {name: float(np.abs(np.load(folder / f"{name}_3.npy") - expected).max()) for name in NETWORKS}
        sizes = {path.stem: path.stat().st_size / 1e6 for path in folder.iterdir()
                 if path.suffix in (".onnx", ".tflite")}
    rows = figures_of(times, differences, sizes)
    print("\n".join(plain("inference", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", default=sys.executable, metavar="PATH",
                        help="Python that has torch, transformers and ONNX Runtime")
    parser.add_argument("--repeats", type=int, default=30, help="answers timed in each process (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each network, alternating (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="threads, and cores (%(default)s)")
    add_figures_option(parser, "inference")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work in NETWORKS:
        print(json.dumps(answer_all(given.work, given.folder, given.threads, given.repeats)))
    elif given.work:
        {"make_torch": make_torch, "make_tflite": make_tflite}[given.work](given.folder)
        print("null")
    else:
        main(given)
