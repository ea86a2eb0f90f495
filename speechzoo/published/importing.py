"""Published weights -> a folder that training starts from: weights, config and origin."""

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

from speechzoo.files import write_atomically
from speechzoo.origin import ORIGIN, UNKNOWN_LICENCE
from speechzoo.published.ctranslate2 import CTranslate2File
from speechzoo.published.espnet_conformer import CONFIG as ESPNET_CONFIG
from speechzoo.published.espnet_conformer import is_espnet, read_espnet
from speechzoo.published.moonshine import is_moonshine, read_moonshine
from speechzoo.published.nemo import NeMoFile
from speechzoo.published.nemo_conformer import read_nemo
from speechzoo.published.resemblyzer import is_resemblyzer, read_resemblyzer
from speechzoo.published.sources import located
from speechzoo.published.speechbrain_ecapa import is_speechbrain_ecapa, read_speechbrain_ecapa
from speechzoo.published.wav2vec2 import is_wav2vec2, read_wav2vec2
from speechzoo.published.weights_file import open_weights
from speechzoo.published.whisper import REVISION, SPECIFICATION, read_encoder
from speechzoo.published.whisper_decoder import read_alignment_heads, read_vocabulary, read_whisper
from speechzoo.published.whisper_names import WhisperNames, is_openai, is_whisper

# Whether arrays are those of an architecture, and its reader; Whisper has three ways to name them.
_SPEAKERS = [(is_resemblyzer, read_resemblyzer), (is_speechbrain_ecapa, read_speechbrain_ecapa)]
WEIGHTS, CONFIG, CARD = "model.weights.h5", "config.yaml", "card.md"


@dataclass(frozen=True)
class PublishedFile:
    """What is known of a file that its publisher made public."""

    name: str
    licence: str
    copyright: str
    licence_file: str
    reference: str


_OPENAI = "https://github.com/openai/whisper"
# By SHA-256: OpenAI's checkpoints as CTranslate2's converter writes them in float16, and as OpenAI publishes them (the
# table `_MODELS` of openai-whisper 20250625). The licence is that of the repository, whose README says that it holds
# for "code and model weights".
KNOWN_FILES = {
    digest: PublishedFile(f"Whisper {name}", "MIT", "Copyright (c) 2022 OpenAI", "whisper-MIT.txt", _OPENAI)
    for digest, name in {
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a": "tiny.en",
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9": "base",
        "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03": "tiny.en",
        "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9": "tiny",
        "25a8566e1d0c1e2231d1c762132cd20e0f96a85d16145c3a00adf5d1ac670ead": "base.en",
        "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e": "base",
        "f953ad0fd29cacd07d5a9eda5624af0f6bcf2258be67c92b79389873d91e0872": "small.en",
        "9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794": "small",
        "d7440d1dc186f76616474e0ff0b3b6b879abc9d1a4926b7adfa41db2d497ab4f": "medium.en",
        "345ae4da62f9b3d59415adc60127b97c714f32e89e936602e85993674d08dcb1": "medium",
        "e4b87e7e0bf463eb8e6956e646f1e277e901512310def2c24bf0e11bd3c28e9a": "large-v1",
        "81f7c96c852ee8fc832187b0132e569d6c3065a3252ed18e56effd0b6a73e524": "large-v2",
        "e5b1a55b89c1367dacf97e3e19bfd829a01529dbfdeefa8caeb59b3f1b81dadb": "large-v3",
        "aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a": "large-v3-turbo",
    }.items()}
# `pretrained.pt` in the package Resemblyzer 0.1.4.
KNOWN_FILES["39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"] = PublishedFile(
    "Resemblyzer's speaker encoder", "Apache-2.0", "Copyright 2019 Resemble.AI", "resemblyzer-Apache-2.0.txt",
    "https://github.com/resemble-ai/Resemblyzer")


@dataclass
class ImportReport:
    """What `import_published` read and wrote.

    Attributes:
        source: What was read, as messages name it.
        given: Where it is from: the file's name, that of its package, or the hub's with the revision.
        output: The folder that was written.
        name: What the file is: a published model's name, or the architecture's where the file isn't known.
        licence: SPDX identifier; `NOASSERTION` where the file isn't known and no card on the hub says it.
        known: Whether the file is one of those that this package knows by their SHA-256.
        copyright: The holder's line; empty where the file isn't known.
        architecture: The backbone that the weights are for.
        heads: Names of the heads that they are for, too.
        parameters: Numbers in the weights.
        used: Names of the file's arrays that were used.
        left_out: Name of each other array -> why it was left out.
    """

    source: str
    given: str
    output: Path
    name: str
    licence: str
    known: bool
    copyright: str
    architecture: str
    heads: list[str]
    parameters: int
    used: list[str]
    left_out: dict[str, str]


def import_published(source: str | Path, output: str | Path, encoder_only: bool = False) -> ImportReport:
    """Reads published weights into `output`: `model.weights.h5`, `config.yaml`, `origin.json` and `card.md`.

    `speechzoo.load(output)` gives the published model, with its decoder or CTC layer as the head `transcript`, a
    speaker encoder's embedding as the head `speaker`.
    `speechzoo train CONFIG --weights output/model.weights.h5` starts from them with any config whose front end and
    backbone are those of `config.yaml`; the origin goes into the run, and from there into what is exported.

    Args:
        source: The weights of a Whisper model in CTranslate2's format, transformers' (safetensors or PyTorch, with its
            `config.json` beside it) or OpenAI's (`.pt`), of a Conformer in NeMo's (`.nemo`) or ESPnet's (`.pth`, with
            its `config.yaml` beside it), of wav2vec 2.0, HuBERT or Moonshine in transformers', or of a speaker encoder,
            Resemblyzer's `pretrained.pt` or SpeechBrain's `embedding_model.ckpt`: a file, a folder, a wheel or source
            distribution as downloaded, a folder of those, or `hf://owner/name`.
        output: Folder to write to, made when it isn't there; what an earlier import wrote is replaced.
        encoder_only: Leave the decoder or head out: for models that begin with the encoder and have heads of their own.

    Raises:
        FileNotFoundError: No such file.
        ModuleNotFoundError: A package is needed that isn't installed.
        ValueError: Another kind of file, a damaged one, or an `output` that holds something else.
        OSError: The files can't be written, or the hub can't be reached.

    Example:
        import_published("whisper-tiny.en/model.bin", "imported/whisper_tiny_en")
    """
    output = Path(output)
    present = {path.name for path in output.iterdir()} if output.is_dir() else set()
    others = sorted(present - {WEIGHTS, CONFIG, ORIGIN, CARD})
    if others:
        raise ValueError(f"{output}: holds {others[0]}, which is no imported file; choose a new folder")
    with located(source) as found:
        try:
            arrays = open_weights(found.path)
            model = _read(arrays, found, encoder_only)
        except ValueError as error:  # names a file that was taken out of a package
            raise ValueError(str(error).replace(str(found.path), found.label)) from None
        from speechzoo.weights import sha256_of, write_arrays  # brings TensorFlow: only when the file is good

        digest, size = sha256_of(found.path), found.path.stat().st_size
    known = KNOWN_FILES.get(digest)
    report = ImportReport(found.label, found.given, output,
                          known.name if known else f"{model.name} (a file that is not known)",
                          known.licence if known else found.licence or UNKNOWN_LICENCE, known is not None,
                          known.copyright if known else "", model.backbone["type"], list(model.heads),
                          sum(array.size for array in model.weights.values()), model.used, model.left_out)
    origin = _origin(report, {"name": found.path.name.removeprefix("joined."), "from": found.given, "sha256": digest,
                              "bytes": size}, known)
    # The weights come last: they never lie there without what says whose they are.
    write_atomically(output / ORIGIN, (json.dumps(origin, indent=1) + "\n").encode())
    write_atomically(output / CONFIG, _config(report, model).encode())
    write_atomically(output / CARD, _card(report, origin).encode())
    write_arrays(output / WEIGHTS, model.weights)
    return report


def _read(arrays, found, encoder_only):
    """What a file holds of a model, by its kind and the names of its arrays."""
    if isinstance(arrays, NeMoFile):
        return read_nemo(arrays, str(found.path), encoder_only)
    if isinstance(arrays, CTranslate2File):
        if (arrays.specification, arrays.revision) != (SPECIFICATION, REVISION):
            raise ValueError(f"{found.path}: holds a {arrays.specification} of revision {arrays.revision}; only "
                             f"{SPECIFICATION} of revision {REVISION} can be imported")
        return _read_parts(arrays, found, encoder_only)
    if is_espnet(arrays):
        return read_espnet(arrays, str(found.path), found.path.parent / ESPNET_CONFIG, encoder_only)
    if is_wav2vec2(arrays):
        return read_wav2vec2(arrays, found, encoder_only)
    if is_moonshine(arrays):  # whose names are Whisper's, too
        return read_moonshine(arrays, found)
    for recognises, read in _SPEAKERS:
        if recognises(arrays):
            return read(arrays, str(found.path), encoder_only)
    if not is_whisper(arrays):
        raise ValueError(f"{found.path}: weights of a kind that can't be imported, such as "
                         f"'{next(iter(arrays), 'none at all')[:80]}'; only those of Whisper, NeMo's and ESPnet's "
                         "Conformers, wav2vec 2.0, HuBERT, Moonshine, Resemblyzer and SpeechBrain's "
                         "ECAPA-TDNN can be")
    names = WhisperNames(arrays, _num_heads(arrays, found), str(found.path))
    model = _read_parts(names, found, encoder_only)
    model.used = [source for name in model.used for source in names.sources[name]]
    # Where the file has the embeddings once, what is left out as their second copy is used all the same.
    model.left_out = {source: reason for name, reason in model.left_out.items() for source in names.sources[name]
                      if source not in model.used}
    return model


def _read_parts(arrays, found, encoder_only):
    """The encoder, and the decoder where there is one, of arrays under CTranslate2's names."""
    if encoder_only or not any(name.startswith("decoder/") for name in arrays):
        return read_encoder(arrays, str(found.path))
    folder = found.path.parent
    return read_whisper(arrays, str(found.path), read_vocabulary(folder), read_alignment_heads(folder))


def _num_heads(arrays, found):
    """Attention heads of encoder and decoder, which no shape says."""
    if is_openai(arrays):
        counts = [arrays.values.get(f"dims.n_{side}_head") for side in ("audio", "text")]
    else:
        counts = [found.config.get(f"{side}_attention_heads") for side in ("encoder", "decoder")]
    if not all(type(count) is int and 0 < count < 1000 for count in counts):
        raise ValueError(f"{found.path}: doesn't say how many attention heads the model has; put the config.json of "
                         "the same model beside it")
    return dict(zip(("encoder", "decoder"), counts))


def _origin(report, file, known):
    text = (resources.files("speechzoo.published") / "licences" / known.licence_file).read_text("utf-8") if known else (
        "The licence is that of whoever published the file, and is not known here: state it before the weights, or "
        "what derives from them, are passed on.\n") if report.licence == UNKNOWN_LICENCE else (
        f"The model's card, {report.given}, says: {report.licence}. Add the text of this licence before the weights, "
        "or what derives from them, are passed on.\n")
    reasons = {}
    for name, reason in report.left_out.items():
        reasons.setdefault(reason, []).append(name)
    return {"licence": report.licence,
            "derived_from": [{"name": report.name, "licence": report.licence, "copyright": report.copyright,
                              "sha256": file["sha256"], "licence_text": text}],
            "reference": known.reference if known else "",
            "architecture": report.architecture,
            "file": file,
            "arrays": {"used": len(report.used), "left_out": {reason: len(names) for reason, names in reasons.items()}}}


def _card(report, origin):
    left_out = "".join(f"- {count} arrays left out: {reason}\n"
                       for reason, count in origin["arrays"]["left_out"].items())
    heads = "".join(f" and the head `{head}`" for head in report.heads)
    return (f"# {report.output.resolve().name}\n\n"
            f"{report.name}, imported as the front end and backbone `{report.architecture}`{heads} of a model.\n\n"
            f"- licence: {report.licence}{', ' * bool(report.copyright)}{report.copyright}\n"
            f"- from: {report.given} {origin['reference']}".rstrip() + "\n"
            f"- file: {origin['file']['name']}, {origin['file']['bytes']} bytes, SHA-256 {origin['file']['sha256']}\n"
            f"- {report.parameters} weights out of {len(report.used)} arrays\n" + left_out + "\n"
            f"Nothing has been trained on it here: extend `{CONFIG}`, and start from `{WEIGHTS}`.\n")


def _config(report, model):
    name = report.output.resolve().name
    values = {"summary": f"Starts from {report.name}.", "frontend": model.frontend, "backbone": model.backbone,
              "heads": model.heads}
    return (f"# To train: extend this, add heads and data, and start from {WEIGHTS} beside it (docs/published.md).\n"
            + yaml.safe_dump({"name": name, **values}, sort_keys=False, default_flow_style=None, width=120,
                             allow_unicode=True))
