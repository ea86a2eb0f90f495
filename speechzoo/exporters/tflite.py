"""One `.tflite` file for a device: builtin operators only, labels and settings inside, measured before it is kept."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from speechzoo.config import nearest
from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.heads import find_head
from speechzoo.decoding.recognition import select_heads
from speechzoo.decoding.streams.stepper import Stepper
from speechzoo.edge.artifact import Artifact, write_artifact
from speechzoo.edge.edge_model import STREAM_STEP, EdgeModel
from speechzoo.edge.owner import ADAPT, Owner
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network.conversion import SIGNATURE, convert
from speechzoo.exporters.network.flatbuffer import count_operators
from speechzoo.exporters.network.quantization import QUANTIZATIONS, QUANTIZERS
from speechzoo.exporters.parity import HeadParity, check_parity, measure_parity
from speechzoo.exporters.recordings import read_recordings
from speechzoo.exporters.selection import keep_heads
from speechzoo.exporters.signatures.custom_words import LEARN, WordLearner, word_head
from speechzoo.exporters.signatures.owner import OwnerAdapter, adaptable_head
from speechzoo.multitask.stream_step import forward_step

LEARNING = (LEARN, ADAPT)
"""Signatures for which a file keeps variables; a stream's file has them only when they are asked for."""
EARLY_EXITS = {"keyword": {"type": "classifier", "label": "keyword"}, "embed": {"type": "speaker"}}
"""Signature -> what `find_head` finds the head by that it alone answers, from the blocks up to that head's."""


@dataclass
class TFLiteExport:
    """What was written.

    Attributes:
        path: The `.tflite` file.
        parity: How far each head is from the Keras model.
        operators: Operator -> how often the network has it.
    """

    path: Path
    parity: list[HeadParity]
    operators: Counter


def export_tflite(model, directory: str | Path, quantize: str = "none", representative=None,
                  heads: list[str] | None = None, card: str | None = None,
                  signatures: list[str] | None = None, keep_float: str | None = None,
                  quantizer: str = "tensorflow") -> TFLiteExport:
    """Writes `directory/<name>.tflite`, with `_<quantize>` before the dot when quantized.

    The file's signatures share its weights:

    - `recognize`: `audio` float32 (1, samples) of any length -> one output a head, by name.
    - `stream_step`, of models that can stream: `samples` float32 (1, step samples) and every tensor of the state -> one
      output a head, and every tensor of the new state, all by name.
    - `keyword`: `audio` -> the head with the label `keyword` alone, and `embed`: `audio` -> the speaker head alone;
      layers behind the block that the head reads are left out.
    - `learn` stands for `embed_word`, `learn`, `infer_custom`, `save` and `restore`: new words from a few recordings
      (`speechzoo.exporters.signatures.custom_words`), of which `edge.custom_words` makes use.
    - `adapt` stands for `adapt_frames`, `adapt`, `save_affine` and `restore_affine`: an owner's way to speak, from what
      they are known to have said (`speechzoo.exporters.signatures.owner`), of which `edge.owner` makes use.

    Every head is measured against the Keras model first, and nothing is written when one is beyond its tolerance
    (`speechzoo.exporters.parity`).

    Args:
        model: A `MultiTaskModel` on the TensorFlow backend.
        directory: Folder to write to; made when it isn't there.
        quantize: `none`, `float16`, `dynamic` (int8 weights), `int8` (int8 weights and activations) or `int16x8`
            (int8 weights, int16 activations).
        representative: Recordings to measure and calibrate with, as `read_recordings` takes them.
        heads: Heads to export; all when None.
        card: Text of the model's card.
        signatures: Those that the file shall have beside `recognize`; when None, all that apply but `learn` and `adapt`
            of a model that can stream, and none of others.
        keep_float: `auto`, with `int8`: keep those layers in float32 that it takes for no head to lose more than half a
            point (`speechzoo.exporters.network.sensitivity`).
        quantizer: What makes integers of floats: `tensorflow` (its converter and our own passes) or `ai-edge`
            (Google's ai-edge-quantizer), for `dynamic`, `int8` and `int16x8`.

    Raises:
        ExportError: The converter failed, or a head is beyond its tolerance.
        ValueError: No such quantization, quantizer or head, a signature that the model has no head for, or `learn` or
            `adapt` with `int8` or `int16x8`.
    """
    if quantize not in QUANTIZATIONS:
        raise ValueError(f"unknown quantization '{quantize}'; {nearest(quantize, QUANTIZATIONS)}")
    if quantizer not in QUANTIZERS:
        raise ValueError(f"unknown quantizer '{quantizer}'; {nearest(quantizer, QUANTIZERS)}")
    if quantizer != "tensorflow" and quantize in ("none", "float16"):
        raise ValueError(f"quantizer '{quantizer}' makes integers, quantize '{quantize}' has none; choose 'dynamic', "
                         "'int8' or 'int16x8'")
    if keep_float is not None and (keep_float, quantize) != ("auto", "int8"):
        raise ValueError(f"keep_float '{keep_float}' with quantize '{quantize}': only 'auto' with 'int8' is possible")
    if keras.backend.backend() != "tensorflow":
        raise ExportError(f"TFLite files are exported by the TensorFlow backend, this is '{keras.backend.backend()}'; "
                          "save the weights and load them with KERAS_BACKEND=tensorflow")
    model = keep_heads(model, heads)
    functions = _signatures(model, signatures)
    learnt = [name for name in LEARNING if name in functions]
    if learnt and quantize in ("int8", "int16x8"):
        raise ValueError(f"a file that learns computes in floats: leave out the signature '{learnt[0]}', or use "
                         "quantize 'dynamic', whose weights are int8 too")
    spec = {key: value for key, value in model.spec.items() if key != "stream" or STREAM_STEP in functions}
    minimum = model.minimum_samples
    recordings = read_recordings(representative, spec["sample_rate"])
    recordings = [np.pad(audio, (0, max(0, minimum - len(audio)))) for audio in recordings]
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{spec['name']}{'' if quantize == 'none' else f'_{quantize}'}.tflite"
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        learners = {LEARN: WordLearner(model, recordings)} if LEARN in functions else {}
        learners.update({ADAPT: OwnerAdapter(model)} if ADAPT in functions else {})
        _write_saved_model(model, scratch / "saved_model", functions, learners)
        names = [each for name in functions for each in (learners[name].signatures if name in learners else (name,))]
        network, sensitivity = convert(scratch, quantize, recordings, tuple(names), spec if keep_float else None,
                                       quantizer)
        artifact = Artifact(spec, minimum, quantize, card=card or "", sensitivity=sensitivity,
                            **model.origin.summary(), notices=model.origin.notices())
        trial = scratch / "trial.tflite"
        write_artifact(trial, network, artifact)
        # What is measured is the file as a device will read it.
        device = EdgeModel(trial)
        try:
            outputs = device.batch_outputs(recordings)
            streamed = [_streamed(device, audio) for audio in recordings] if STREAM_STEP in functions else []
        except RuntimeError as error:  # LiteRT refuses scales of layers that always give nothing
            raise ExportError(f"{path.name}: LiteRT can't run the network: {' '.join(str(error).split())}; "
                              "is the model trained?") from None
        expected = [model.batch_outputs([audio])[0] for audio in recordings]
        parity = measure_parity(expected, outputs, spec, quantize)
        check_parity(parity, path.name)
        for name in EARLY_EXITS.keys() & functions.keys():
            alone = device.batch_outputs(recordings, functions[name])
            check_parity(measure_parity(expected, alone, select_heads(spec, functions[name]), quantize),
                         f"{path.name}, {name}")
        if LEARN in learners:
            embedded = [{"embed_word": learners[LEARN].embed(audio[None]).numpy()[0]} for audio in recordings]
            got = [{"embed_word": device.run("embed_word", audio=audio[None])["embedding"][0]} for audio in recordings]
            as_voice = {"heads": {"embed_word": {"type": "speaker"}}}
            check_parity(measure_parity(embedded, got, as_voice, quantize), path.name)
        if ADAPT in learners:
            head = learners[ADAPT].head
            owner = Owner(device)
            got = [{head: owner.logits(audio)} for audio in recordings]
            check_parity(measure_parity(expected, got, select_heads(spec, [head]), quantize), f"{path.name}, {ADAPT}")
        if streamed:
            # Streamed equals offline, as far as whole steps go.
            step = spec["stream"]["step_samples"]
            expected = [model.batch_outputs([_whole_steps(audio, step)])[0] for audio in recordings]
            check_parity(measure_parity(expected, streamed, spec, quantize), f"{path.name}, {STREAM_STEP}")
    artifact.parity = [row.to_dict() for row in parity]
    write_artifact(path, network, artifact)
    return TFLiteExport(path, parity, count_operators(network))


def available_signatures(model) -> dict:
    """Signature -> heads that it answers, for all that apply to a model."""
    spec = model.spec
    found = {SIGNATURE: list(model.heads)}
    if "stream" in spec:
        found[STREAM_STEP] = list(model.heads)
    for signature, wanted in EARLY_EXITS.items():
        head = find_head(spec, **wanted)
        found.update({signature: [head]} if head else {})
    found.update({signature: [head] for signature, head in ((LEARN, word_head(model)), (ADAPT, adaptable_head(model)))
                  if head})
    return found


def _signatures(model, chosen) -> dict:
    """Signature -> heads that it answers, of those that the file shall have; `recognize` first."""
    available = available_signatures(model)
    if chosen is None:
        chosen = [name for name in available if name not in LEARNING] if STREAM_STEP in available else []
    for name in chosen:
        if name not in available:
            raise ValueError(f"the model has no signature '{name}'; it has: {', '.join(available)}")
    return {name: heads for name, heads in available.items() if name == SIGNATURE or name in chosen}


def _write_saved_model(model, path: Path, signatures: dict, learners: dict):
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(model)
    # One utterance at a time has no padding, so the graph that devices run has no masks. The static batch of 1 lets the
    # converter fold shapes.
    audio = tf.TensorSpec((1, None), tf.float32, "audio")
    try:
        for name, heads in signatures.items():
            if name == STREAM_STEP:
                inputs = {"samples": tf.TensorSpec((1, model.spec["stream"]["step_samples"]), tf.float32, "samples")}
                inputs.update({tensor: tf.TensorSpec(value.shape, tf.float32, tensor)
                               for tensor, value in model.initial_state().items()})
                archive.add_endpoint(name, _step_function(model), [inputs])
            elif name in learners:
                learners[name].add_to(archive)
            else:
                archive.add_endpoint(name, _answers(model, heads), [audio])
        archive.write_out(str(path), verbose=False)
    except (ValueError, TypeError) as error:
        raise ExportError(f"the model can't be traced: {' '.join(str(error).split())[:300]}") from error


def _answers(model, heads):
    def answer(audio):
        outputs = model.forward_unpadded(audio)
        return {head: outputs[head] for head in heads}  # the graph drops what nothing needs

    return answer


def _step_function(model):
    def step(inputs):
        state = dict(inputs)
        outputs, state = forward_step(model, state.pop("samples"), state)
        return {**outputs, **state}

    return step


def _whole_steps(audio, step):
    """Silence completes the last step, as at the end of a stream."""
    return np.pad(audio, (0, -len(audio) % step))


def _streamed(device, audio) -> dict:
    """Every head's output for one utterance that is heard step by step."""
    step = device.spec["stream"]["step_samples"]
    steps = list(Stepper(device.stream_step, device.initial_state(), step).feed(_whole_steps(audio, step)))
    return {name: np.concatenate([outputs[name] for outputs in steps]) if answer_kind(head).framewise
            else steps[-1][name] for name, head in device.spec["heads"].items()}
