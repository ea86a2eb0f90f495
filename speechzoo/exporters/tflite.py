"""One `.tflite` file for a device: builtin operators only, labels and settings inside, measured before it is kept."""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechzoo.edge.artifact import Artifact, write_artifact
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network.conversion import SAVED_MODEL, convert
from speechzoo.exporters.network.flatbuffer import count_operators
from speechzoo.exporters.network.quantizers import find_quantizer
from speechzoo.exporters.network.tracing import require_tensorflow, write_saved_model
from speechzoo.exporters.parity import HeadParity, check_parity
from speechzoo.exporters.recordings import read_recordings
from speechzoo.exporters.selection import keep_heads
from speechzoo.exporters.signatures import DecodeStep, Signature, StreamStep, choose_signatures


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

    - `recognize`: `audio` float32 (1, samples) of any length -> one output per head, by name.
    - `decode_step`, of models with a `seq2seq` head: one token of texts, the head's output and every tensor of the
      decoder's cache -> logits of the next token, where the decoder looked, and every tensor of the new cache.
    - `stream_step`, of models that can stream: `samples` float32 (1, step samples) and every tensor of the state -> one
      output per head, and every tensor of the new state, all by name.
    - `keyword`: `audio` -> the head with the label `keyword` alone, and `embed`: `audio` -> the speaker head alone;
      layers behind the block that the head reads are left out.
    - `learn` stands for `embed_word`, `learn`, `infer_custom`, `save` and `restore`: new words from a few recordings
      (`speechzoo.exporters.signatures.custom_words`), of which `edge.custom_words` makes use.
    - `adapt` stands for `adapt_frames`, `adapt`, `save_affine` and `restore_affine`: an owner's way to speak, from what
      they are known to have said (`speechzoo.exporters.signatures.owner`), of which `edge.owner` makes use.

    Every signature is measured against the Keras model first, and nothing is written when a head is beyond its
    tolerance (`speechzoo.exporters.parity`).

    Args:
        model: A `MultiTaskModel` on the TensorFlow backend.
        directory: Folder to write to; made when it isn't there.
        quantize: `none`, `float16`, `dynamic` (int8 weights), `int8` (int8 weights and activations) or `int16x8`
            (int8 weights, int16 activations).
        representative: Recordings to measure and calibrate with, as `read_recordings` takes them.
        heads: Heads to export. Default: all.
        card: Text of the model's card.
        signatures: Those that the file shall have beside `recognize`. Default: every signature that applies except
            `learn` and `adapt` if the model can stream; otherwise only `decode_step`, where it applies.
        keep_float: `auto`, with `int8`: keep those layers in float32 that it takes for no head to lose more than half a
            point (`speechzoo.exporters.network.sensitivity`).
        quantizer: What makes integers of floats: `tensorflow` (its converter and our own passes) or `ai-edge`
            (Google's ai-edge-quantizer), for `dynamic`, `int8` and `int16x8`.

    Raises:
        ExportError: The converter failed, or a head is beyond its tolerance.
        ValueError: No such quantization, quantizer or head, a signature that the model has no head for, or `learn`,
            `adapt` or `decode_step` with `int8` or `int16x8`.
    """
    make_network = find_quantizer(quantize, quantizer)
    _check_keep_float(keep_float, quantize)
    require_tensorflow("TFLite files")
    model = keep_heads(model, heads)
    spec, minimum = model.spec, model.minimum_samples
    chosen = choose_signatures(model, spec, signatures)
    _check_variables(chosen, quantize)
    if StreamStep not in chosen:
        spec = {key: value for key, value in spec.items() if key != "stream"}
    recordings = [np.pad(audio, (0, max(0, minimum - len(audio))))
                  for audio in read_recordings(representative, spec["sample_rate"])]
    path = Path(directory, f"{spec['name']}{'' if quantize == 'none' else f'_{quantize}'}.tflite")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        made = [signature(model, spec, recordings) for signature in chosen]
        endpoints = [endpoint for signature in made for endpoint in signature.endpoints()]
        write_saved_model(Path(scratch, SAVED_MODEL), endpoints,
                          [model, *(variables for signature in made for variables in signature.variables)])
        network, sensitivity = convert(
            Path(scratch), make_network, recordings, tuple(endpoint.name for endpoint in endpoints),
            any(signature.has_variables for signature in made), spec if keep_float else None)
        artifact = Artifact(spec, minimum, quantize, card=card or "", sensitivity=sensitivity,
                            **model.origin.summary(), notices=model.origin.notices())
        trial = Path(scratch, path.name)
        write_artifact(trial, network, artifact)
        parity = _measure(trial, made, [model.batch_outputs([audio])[0] for audio in recordings], quantize)
    artifact.parity = [row.to_dict() for row in parity]
    write_artifact(path, network, artifact)
    return TFLiteExport(path, parity, count_operators(network))


def _check_keep_float(keep_float: str | None, quantize: str):
    if keep_float is not None and (keep_float, quantize) != ("auto", "int8"):
        raise ValueError(f"keep_float '{keep_float}' with quantize '{quantize}': only 'auto' with 'int8' is possible")


def _check_variables(signatures: list[type[Signature]], quantize: str):
    if DecodeStep in signatures and quantize in ("int8", "int16x8"):
        raise ValueError("an attention decoder keeps its activations in floats: use quantize 'dynamic', whose weights "
                         "are int8 too")
    name = next((signature.name for signature in signatures if signature.has_variables), None)
    if name and quantize in ("int8", "int16x8"):
        raise ValueError(f"a file that learns computes in floats: leave out the signature '{name}', or use "
                         "quantize 'dynamic', whose weights are int8 too")


def _measure(path: Path, signatures: list[Signature], expected: list[dict], quantize: str) -> list[HeadParity]:
    """Measures the file as a device will read it; how far `recognize`, the first of the signatures, is from Keras.

    Raises:
        ExportError: LiteRT can't run it, or a head is beyond its tolerance.
    """
    device, parity = EdgeModel(path), []
    for signature in signatures:
        try:
            parity.append(signature.measure(device, expected, quantize))
        except RuntimeError as error:  # LiteRT refuses scales of layers that always give nothing
            raise ExportError(f"{path.name}: LiteRT can't run the network: {' '.join(str(error).split())}; "
                              "is the model trained?") from None
        check_parity(parity[-1], f"{path.name}, {signature.name}")
    return parity[0]
