"""One training step, and one answer on a device, of the flagship's encoder beside the same network in PyTorch.

Both sides run the same Conformer (`transformers.ParakeetEncoder` in PyTorch) with the same parameters, batch of log-mel
features, CTC loss and AdamW, on the same cores, alternating, each in a process of its own, so that either framework may
live in another environment. The features are random numbers: time does not depend on them.

    python benchmarks/train_step.py --cores 2 --torch-python .venv-parity/bin/python
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

SIZE, BLOCKS, HEADS, MEL_BINS, UNITS = 144, 8, 4, 80, 29
UTTERANCES, FRAMES, TOKENS = 24, 400, 50  # 96 s of audio in utterances of 4 s
DEVICE_SECONDS = 3.0


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


def tflite_answer(steps: int, threads: int) -> dict:
    """Seconds of each pass over 3 s of features by the encoder as a float32 TFLite network of dynamic length."""
    import keras
    import numpy as np
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    keras.utils.set_random_seed(1)
    encoder = _keras_encoder()
    encoder.build((None, None, MEL_BINS))
    with tempfile.TemporaryDirectory() as folder:
        archive = keras.export.ExportArchive()
        archive.track(encoder)
        archive.add_endpoint("encode", lambda features: {"frames": encoder(features, None, training=False)[0][-1]},
                             [tf.TensorSpec((1, None, MEL_BINS), tf.float32, "features")])
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["encode"])
        network = converter.convert()
    encode = Interpreter(model_content=network, num_threads=threads).get_signature_runner("encode")
    features = np.random.default_rng(1).standard_normal((1, int(DEVICE_SECONDS * 100), MEL_BINS)).astype("float32")
    return {"times": _timed(lambda: encode(features=features), steps), "parameters": _trainable(encoder)}


def torch_answer(steps: int, threads: int) -> dict:
    """Seconds of each pass over 3 s of features in PyTorch."""
    import torch

    torch.set_num_threads(threads)
    encoder = _torch_encoder().eval()
    features = torch.randn(1, int(DEVICE_SECONDS * 100), MEL_BINS)
    with torch.inference_mode():
        times = _timed(lambda: encoder(features), steps)
    return {"times": times, "parameters": sum(parameter.numel() for parameter in encoder.parameters())}


def _keras_encoder():
    from speechzoo.backbones import Conformer
    return Conformer(SIZE, BLOCKS, HEADS, subsampling=4, subsampling_channels=64, dropout=0.1, name="backbone")


def _trainable(encoder):
    # The statistics of batch normalization are buffers in PyTorch and no parameters.
    return sum(math.prod(weight.shape) for weight in encoder.trainable_variables)


def _torch_encoder():
    from transformers import ParakeetEncoder, ParakeetEncoderConfig
    return ParakeetEncoder(ParakeetEncoderConfig(
        hidden_size=SIZE, num_hidden_layers=BLOCKS, num_attention_heads=HEADS, intermediate_size=4 * SIZE,
        conv_kernel_size=9, subsampling_factor=4, subsampling_conv_channels=64, num_mel_bins=MEL_BINS, dropout=0.1,
        dropout_positions=0.0, layerdrop=0.0, activation_dropout=0.1, attention_dropout=0.1, attention_bias=True,
        convolution_bias=True, scale_input=True))


def _timed(step, steps):
    for _ in range(3):
        step()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times


WORK = {work.__name__: work for work in (keras_train, torch_train, tflite_answer, torch_answer)}


def _child(python, work, steps, threads, cores):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3",
                   "TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1",
                   "KERAS_BACKEND": "tensorflow"}
    pin = None if cores is None else lambda: os.sched_setaffinity(0, cores)
    child = subprocess.run([python, __file__, "--work", work, "--steps", str(steps), "--threads", str(threads)],
                           capture_output=True, text=True, env=environment, preexec_fn=pin)
    if child.returncode:
        sys.exit(f"{work} failed under {python}:\n{child.stderr}")
    return json.loads(child.stdout.splitlines()[-1])


def main():
    """Runs both sides in alternation and prints times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", default=sys.executable, metavar="PATH",
                        help="Python that has torch and transformers")
    parser.add_argument("--steps", type=int, default=10, help="steps timed in each process (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each side, alternating (%(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="cores for training (%(default)s); answers take one")
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        print(json.dumps(WORK[arguments.work](arguments.steps, arguments.threads)))
        return
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    seconds = UTTERANCES * FRAMES // 100
    for title, ours, theirs, threads, steps in (
            (f"training step, {seconds} s of audio", "keras_train", "torch_train", arguments.cores, arguments.steps),
            (f"answer to {DEVICE_SECONDS:g} s, float32", "tflite_answer", "torch_answer", 1, 5 * arguments.steps)):
        cores = None if available is None else set(available[:threads])
        times, parameters = {ours: [], theirs: []}, {}
        for _ in range(arguments.rounds):
            for work, python in ((ours, sys.executable), (theirs, arguments.torch_python)):
                result = _child(python, work, steps, threads, cores)
                times[work] += result["times"]
                parameters[work] = result["parameters"]
        medians = {work: 1e3 * statistics.median(values) for work, values in times.items()}
        print(f"{title}, {threads} core{'s' if threads > 1 else ''}:")
        for work in (ours, theirs):
            print(f"  {work:<14} {medians[work]:9.1f} ms  (best {1e3 * min(times[work]):.1f})  "
                  f"{parameters[work]:,} parameters")
        print(f"  ratio {medians[theirs] / medians[ours]:.2f}, of the best {min(times[theirs]) / min(times[ours]):.2f}")


if __name__ == "__main__":
    main()
