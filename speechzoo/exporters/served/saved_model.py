"""SavedModel for TensorFlow Serving: waveforms or WAV files in, logits and decoded text out."""

import json
import os
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from speechzoo.audio import pad_batch
from speechzoo.edge.artifact import NOTICES
from speechzoo.exporters.errors import ExportError
from speechzoo.exporters.network.tracing import Endpoint, require_tensorflow, write_saved_model
from speechzoo.exporters.parity import HeadParity, check_parity, measure_parity
from speechzoo.exporters.recordings import read_recordings
from speechzoo.exporters.selection import keep_heads
from speechzoo.exporters.served.graph_decoding import check_audio, check_servable, decode_outputs, decode_wav
from speechzoo.exporters.served.served_model import ServedModel
from speechzoo.exporters.served.warmup import write_warmup
from speechzoo.serving import signatures

SPEC_FILE = "assets.extra/spec.json"
CARD_FILE = "assets.extra/card.md"
ORIGIN_FILE = "assets.extra/origin.json"
NOTICES_FILE = f"assets.extra/{NOTICES}"
PARITY_FILE = "assets.extra/parity.json"
BATCH = 4  # recordings compared at once: enough to pad, little enough for memory
WARMUP_SECONDS = (1.0, 3.0)


@dataclass
class SavedModelExport:
    """What was written.

    Attributes:
        path: The folder of the version.
        parity: Signature -> how far each head is from the Keras model.
    """

    path: Path
    parity: dict[str, list[HeadParity]]


def export_saved_model(model, directory: str | Path, representative=None, heads: list[str] | None = None,
                       card: str | None = None, name: str | None = None,
                       version: int | None = None) -> SavedModelExport:
    """Writes `directory/<name>/<version>/`, the layout that TensorFlow Serving serves from.

    Signatures (names of outputs in `speechzoo.serving.signatures`):

    - `serving_default`: `audio` (batch, samples) float32, `audio_length` (batch,) int32 -> logits, text, scores.
    - `serving_bytes`: `audio_bytes` (batch,), WAV files of 16-bit PCM at the model's sample rate -> the same.
    - `spec`: `request` (batch,) any text -> `spec` (batch,), JSON that a client reads logits with.

    The model is written beside its place, loaded through the TensorFlow 1 loader as the server will, each head compared
    with Keras, and only then moved in, so a server that watches the folder never sees half a model or a wrong one. What
    travels with it stands in `assets.extra`: the spec, the card, the differences from Keras, the licence of the weights
    with the texts that must go with it, and warm-up requests.

    Args:
        model: A `MultiTaskModel` on the TensorFlow backend.
        directory: Folder of served models.
        representative: Recordings to measure on, as `read_recordings` takes them.
        heads: Heads to export. Default: all.
        card: Text of the model's card.
        name: Name to serve it under. Default: the model's own.
        version: Number of the version. Default: one more than the greatest there.

    Raises:
        ExportError: A head differs from Keras by more than float32 exports may; nothing is written.
        ValueError: A head whose answers can't be served, or two outputs that would have the same name.
        FileExistsError: That version is there already.
    """
    require_tensorflow("SavedModels")
    model = keep_heads(model, heads)
    spec = model.spec
    recordings = read_recordings(representative, spec["sample_rate"])
    folder = Path(directory) / (name or spec["name"])
    folder.mkdir(parents=True, exist_ok=True)
    version = _next_version(folder) if version is None else int(version)
    target, partial = folder / str(version), folder / f".{version}.{os.getpid()}"
    if target.exists():
        raise FileExistsError(f"{target} is there already; choose another version or leave it to the exporter")
    try:
        write_saved_model(partial, _endpoints(model, spec), [model])
        (partial / SPEC_FILE).parent.mkdir(exist_ok=True)
        (partial / SPEC_FILE).write_text(json.dumps(spec, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        origin = json.dumps(model.origin.summary(), indent=1, ensure_ascii=False) + "\n"
        for name, text in ((CARD_FILE, card), (ORIGIN_FILE, origin), (NOTICES_FILE, model.origin.notices())):
            if text:
                (partial / name).write_text(text, encoding="utf-8")
        with ServedModel(partial) as served:
            parity = compare(model, served, recordings)
        rows = {signature: [row.to_dict() for row in rows] for signature, rows in parity.items()}
        (partial / PARITY_FILE).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        _add_warmup(partial, folder.name, spec)
        os.rename(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return SavedModelExport(target, parity)


def _next_version(folder):
    return max((int(path.name) for path in folder.iterdir() if path.name.isdigit()), default=0) + 1


def _endpoints(model, spec) -> list[Endpoint]:
    signatures.output_names(spec)  # refuses names that collide
    check_servable(spec)  # before tracing, which would hide the reason among its own lines
    minimum = model.minimum_samples

    def answers(audio, audio_length):
        audio = tf.pad(audio, [[0, 0], [0, tf.maximum(0, minimum - tf.shape(audio)[1])]])
        outputs = model({"audio": audio, "audio_length": tf.maximum(audio_length, minimum)}, training=False)
        return decode_outputs(outputs, spec)

    def serving_default(audio, audio_length):
        return answers(check_audio(audio, audio_length), audio_length)

    def serving_bytes(audio_bytes):
        audio, audio_length = decode_wav(audio_bytes, spec["sample_rate"])
        return answers(check_audio(audio, audio_length), audio_length)

    def give_spec(request):
        return {"spec": tf.fill(tf.shape(request), json.dumps(spec))}

    return [
        Endpoint(signatures.DEFAULT, serving_default, [tf.TensorSpec((None, None), tf.float32, "audio"),
                                                       tf.TensorSpec((None,), tf.int32, "audio_length")]),
        Endpoint(signatures.BYTES, serving_bytes, [tf.TensorSpec((None,), tf.string, "audio_bytes")]),
        Endpoint(signatures.SPEC, give_spec, [tf.TensorSpec((None,), tf.string, "request")]),
    ]


def compare(model, served: ServedModel, recordings: list[np.ndarray]) -> dict[str, list[HeadParity]]:
    """Runs every signature on recordings, several of unequal lengths in a batch, and Keras on each alone.

    Args:
        model: The `MultiTaskModel`.
        served: Its export.
        recordings: float32 (samples,) each.

    Returns:
        Signature -> how far each head is from Keras.

    Raises:
        ExportError: A head is beyond the tolerance of float32 exports, or `spec` doesn't give the spec.
    """
    spec = model.spec
    rate = spec["sample_rate"]
    files = [tf.audio.encode_wav(np.clip(audio, -1, 1)[:, None], rate).numpy() for audio in recordings]
    decoded = [tf.audio.decode_wav(file)[0].numpy()[:, 0] for file in files]
    exact = all(map(np.array_equal, recordings, decoded))  # 16-bit recordings; Keras needs to hear them only once
    expected = [model.batch_outputs([audio])[0] for audio in recordings]
    expected_of_files = expected if exact else [model.batch_outputs([audio])[0] for audio in decoded]
    names, parity = signatures.raw_output_names(spec), {}
    for signature, reference, inputs_of in (
            (signatures.DEFAULT, expected, lambda part: batch_inputs(recordings[part])),
            (signatures.BYTES, expected_of_files, lambda part: {"audio_bytes": _objects(files[part])})):
        rows = []
        for first in range(0, len(recordings), BATCH):
            part = slice(first, first + BATCH)
            outputs = served.run(signature, inputs_of(part))
            for row, one in enumerate(reference[part]):
                # A sequence is padded to the longest of its batch: only its own frames are Keras's.
                rows.append({head: outputs[names[head]][row][:len(output)] for head, output in one.items()})
        parity[signature] = measure_parity(reference, rows, spec, "none")
        check_parity(parity[signature], f"signature '{signature}'")
    answer = served.run(signatures.SPEC, {"request": _objects([b""])})["spec"][0]
    if json.loads(answer) != json.loads(json.dumps(spec)):
        raise ExportError("signature 'spec' doesn't give the model's spec")
    return parity


def batch_inputs(audios: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Inputs of `serving_default` for float32 (samples,) recordings, padded with zeros to the longest."""
    audio, lengths = pad_batch(audios)
    return {"audio": audio, "audio_length": lengths}


def _objects(items):
    # NumPy's own bytes type would drop zeros at the end.
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _add_warmup(path, name, spec):
    """One request for each set of outputs that callers ask for: all (REST) and the raw ones (the gRPC client)."""
    raw, rate = sorted(signatures.raw_output_names(spec).values()), spec["sample_rate"]
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, int(max(WARMUP_SECONDS) * rate)).astype(np.float32)
    sounds = [noise[:int(seconds * rate)] for seconds in WARMUP_SECONDS]
    file = tf.audio.encode_wav(sounds[0][:, None], rate).numpy()
    requests = [(signatures.SPEC, {"request": _objects([b""])}, ["spec"]),
                (signatures.BYTES, {"audio_bytes": _objects([file])}, []),
                (signatures.BYTES, {"audio_bytes": _objects([file])}, raw)]
    for sound in sounds:
        requests += [(signatures.DEFAULT, batch_inputs([sound]), []), (signatures.DEFAULT, batch_inputs([sound]), raw)]
    try:
        write_warmup(path, name, requests)
    except ImportError:
        warnings.warn("exported without warm-up requests, so the first request to the server will be slow: they need "
                      "pip install 'speechzoo[serving]'", stacklevel=3)
