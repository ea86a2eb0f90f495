"""Writing a folder of C sources: the network in int8, its front end in integers, measured against Keras first."""

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from keras import ops

from speechzoo.edge.artifact import NOTICES
from speechzoo.edge.signatures import RECOGNIZE
from speechzoo.exporters.micro import sources
from speechzoo.exporters.micro.arena import estimate_arena
from speechzoo.exporters.micro.micro_model import MicroModel
from speechzoo.exporters.micro.operators import check_operators
from speechzoo.exporters.network.conversion import SAVED_MODEL, convert
from speechzoo.exporters.network.flatbuffer import parse
from speechzoo.exporters.network.macs import count_graph_macs
from speechzoo.exporters.network.quantization import drop_names
from speechzoo.exporters.network.source import Source
from speechzoo.exporters.network.tracing import Endpoint, require_tensorflow, write_saved_model
from speechzoo.exporters.parity import HeadParity, check_parity, measure_parity
from speechzoo.exporters.recordings import read_recordings
from speechzoo.exporters.selection import keep_heads
from speechzoo.files import write_atomically
from speechzoo.frontends.fixed_point import FixedPointLogMel

MAXIMUM_WINDOWS = 128
# Deviations are variance x rsqrt(variance), because no kernel takes the square root of int8. Below this share of the
# greatest variance they stop, so that the 256 values of rsqrt spread over what matters.
_VARIANCE_RANGE = 1 / 1024


@dataclass
class MicroExport:
    """What was written.

    Attributes:
        path: The folder.
        parity: How far each head is from the Keras model, the front end's integers included.
        runtime: What ran the network to measure it: `TensorFlow Lite Micro` or `LiteRT`.
        network_bytes: Size of the network.
        arena_bytes: Estimated size of the interpreter's memory.
        window_seconds: What the network hears at once.
        macs: Multiply-accumulates of one run of the network.
        frontend_multiplications: Multiplications of the front end in a second of audio.
        operators: The operators of the network.
    """

    path: Path
    parity: list[HeadParity]
    runtime: str
    network_bytes: int
    arena_bytes: int
    window_seconds: float
    macs: int
    frontend_multiplications: int
    operators: list[str]

    def report(self) -> dict:
        """Plain values, as `report.json` in the folder holds them."""
        return {key: value for key, value in asdict(self).items() if key != "path"}


def export_micro(model, directory: str | Path, representative=None, heads: list[str] | None = None,
                 window_seconds: float = 1.0) -> MicroExport:
    """Writes `directory/<name>_micro`: `<name>.tflite` and the C sources that run it (export/micro/README.md).

    The network takes int8 features of a fixed length, because static shapes are all that TensorFlow Lite Micro has, and
    computes in int8 alone; the features come from the front end in integers, `speechzoo.frontends.fixed_point`. Nothing
    is written when a head of both together is further from the Keras model than `int8` may be.

    Args:
        model: A `MultiTaskModel` on the TensorFlow backend; its heads are classifiers.
        directory: Folder to write to; made when it isn't there.
        representative: Recordings to calibrate and measure with, as `read_recordings` takes them, cut into windows.
        heads: Heads to export. Default: all.
        window_seconds: What the network hears at once; longer costs memory and time, and may be what a model needs.

    Raises:
        ExportError: An operator that TensorFlow Lite Micro doesn't have in int8, or a head beyond its tolerance.
        ValueError: A head, a front end or a window that a microcontroller can't have.
    """
    require_tensorflow("micro models")
    model = keep_heads(model, heads)
    spec = model.spec
    for name, head in spec["heads"].items():
        if head["type"] != "classifier":
            raise ValueError(f"head '{name}' is of type {head['type']}; a micro export has classifier heads only: "
                             "choose them with --heads")
        if model.heads[name].pooling is None:
            raise ValueError(f"head '{name}' listens to one short window after the other, not to one second at once; "
                             "use --format esphome")
    FixedPointLogMel.from_layer(model.frontend, 1.0, 0)  # refuses what has no fixed-point form before the long part
    if not 0.2 <= window_seconds <= 10:
        raise ValueError(f"a window of {window_seconds:g} s; it may be 0.2 to 10 s long")
    frames = round(window_seconds / model.frontend.hop_seconds)
    windows = _windows(read_recordings(representative, spec["sample_rate"]), frames * model.frontend.hop_length)
    features = np.asarray(model.frontend(windows, None)[0])
    with tempfile.TemporaryDirectory() as scratch:
        write_saved_model(Path(scratch, SAVED_MODEL), [_endpoint(model, features)], [model])
        network, _ = convert(Path(scratch), micro, features)
    operators = check_operators(network)
    device = MicroModel(network, model)
    path = Path(directory) / f"{spec['name']}_micro"
    parity = measure_parity(model.batch_outputs(list(windows)), device.batch_outputs(list(windows)), spec, "int8")
    check_parity(parity, path.name)

    flatbuffer = parse(network)
    per_second = round(device.frontend.multiplications / model.frontend.hop_seconds)
    written = MicroExport(path, parity, device.runtime, len(network), estimate_arena(network),
                          window_seconds, count_graph_macs(flatbuffer, flatbuffer.subgraphs[0]), per_second, operators)
    files = {**sources.hand_written(), **sources.model_data(network),
             "frontend_tables.h": sources.frontend_tables(device.frontend, spec["sample_rate"]),
             "model_settings.h": sources.model_settings(device, features.shape[1], written.arena_bytes, operators),
             "report.json": json.dumps({**written.report(), **model.origin.summary()}, indent=2) + "\n"}
    if model.origin.derived_from:
        files[NOTICES] = model.origin.notices()
    write_atomically(path / f"{spec['name']}.tflite", network)
    for name, text in files.items():
        write_atomically(path / name, text.encode())
    return written


def micro(source: Source) -> tuple[bytes, list]:
    """A quantizer: int8 from features (1, frames, bins), which the source's examples are, to answers."""
    import tensorflow as tf

    converter = source.calibrated_converter([(RECOGNIZE, {"features": features}) for features in source.examples])
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return drop_names(converter.convert()), []


def _windows(recordings, length):
    """float32 (windows, length) as 16 bits hold them: windows that overlap by half, at most MAXIMUM_WINDOWS of all."""
    found = []
    for audio in recordings:
        audio = np.pad(np.clip(np.rint(audio * 32768), -32768, 32767) / 32768, (0, max(0, length - len(audio))))
        found += [audio[start:start + length] for start in range(0, len(audio) - length + 1, length // 2)]
    chosen = np.unique(np.linspace(0, len(found) - 1, MAXIMUM_WINDOWS).astype(int))
    return np.stack([found[index] for index in chosen]).astype(np.float32)


def _endpoint(model, features) -> Endpoint:
    """Features (1, frames, bins) -> every head's logits, by operators that a microcontroller has in int8."""
    import tensorflow as tf

    frames, _ = model.sharing(features, None, model.blocks, training=False)
    floors = {name: float(ops.max(head.pooling.statistics(frames[name])[1])) * _VARIANCE_RANGE
              for name, head in model.heads.items()}

    def answer(window):
        frames, _ = model.sharing(window, None, model.blocks, training=False)
        outputs = {}
        for name, head in model.heads.items():
            mean, variance = head.pooling.statistics(frames[name])
            variance = variance + floors[name]
            outputs[name] = head.classify(ops.concatenate([mean, variance * ops.rsqrt(variance)], axis=-1))
        return outputs

    return Endpoint(RECOGNIZE, answer, [tf.TensorSpec((1, *features.shape[1:]), tf.float32, "features")])
