"""One `.tflite` file with everything a device needs: the network, and appended to it a zip of associated files.

TFLite's own convention (https://ai.google.dev/edge/litert/models/metadata): a flatbuffer's reader ignores what follows
the flatbuffer, and a zip's reader finds its directory from the end of the file. Inside: `speechzoo.json` (what decoding
needs), `labels/<head>.txt` (one class or unit a line, for other readers), `parity.json`, `card.md` and, of weights that
derive from published ones, `licences.txt`.
"""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from speechzoo.decoding.answers import answer_kind
from speechzoo.files import open_atomically

FORMAT = 1
FLATBUFFER_IDENTIFIER = b"TFL3"
SETTINGS = "speechzoo.json"
PARITY = "parity.json"
SENSITIVITY = "sensitivity.json"
CARD = "card.md"
NOTICES = "licences.txt"
# Lists of labels are kilobytes; a directory that promises more is damaged or hostile.
MAXIMUM_MEMBER_BYTES = 16 << 20
# The same model gives the same bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class ArtifactError(ValueError):
    """A `.tflite` file that can't be used; the message names it and says what is wrong with it."""


@dataclass
class Artifact:
    """What travels with the network.

    Attributes:
        spec: What decoding needs to read the outputs, as `Recognizer.spec` has it.
        minimum_samples: Shorter audio is completed with silence.
        quantize: `none`, `float16`, `dynamic`, `int8` or `int16x8`.
        parity: How far each head is from the Keras model, one dict a head.
        card: The model's card, Markdown.
        sensitivity: What `int8` costs layer by layer, where it was measured: one dict a layer.
        licence: SPDX identifier of the licence of the weights; empty where nobody has named one.
        derived_from: Published weights that these derive from: `name`, `licence`, `copyright` and `sha256` of each.
        notices: Texts of those licences, which must go wherever the file goes.
    """

    spec: dict
    minimum_samples: int = 0
    quantize: str = "none"
    parity: list[dict] = field(default_factory=list)
    card: str = ""
    sensitivity: list[dict] = field(default_factory=list)
    licence: str = ""
    derived_from: list[dict] = field(default_factory=list)
    notices: str = ""


def write_artifact(path: str | Path, network: bytes, artifact: Artifact):
    """Writes network and associated files as one file, whole or not at all.

    Args:
        path: The file; one that is there is replaced.
        network: TFLite flatbuffer.
        artifact: What travels with it.

    Raises:
        ValueError: A head of an unknown type.
    """
    path = Path(path)
    settings = {"format": FORMAT, "spec": artifact.spec, "minimum_samples": artifact.minimum_samples,
                "quantize": artifact.quantize, "decoder": {"type": "greedy", "blank_index": 0},
                "licence": artifact.licence, "derived_from": artifact.derived_from}
    members = {SETTINGS: _json(settings)}
    for head, head_spec in artifact.spec["heads"].items():
        labels = answer_kind(head_spec).labels(head_spec)
        if labels:
            members[f"labels/{head}.txt"] = "".join(f"{label}\n" for label in labels)
    members[PARITY] = _json(artifact.parity)
    if artifact.sensitivity:
        members[SENSITIVITY] = _json(artifact.sensitivity)
    members.update({name: text for name, text in ((CARD, artifact.card), (NOTICES, artifact.notices)) if text})
    with open_atomically(path) as file:
        file.write(network)
        # Stored, not deflated: TFLite's C++ readers map the members without unpacking.
        with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
            for name, text in members.items():
                archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), text)


def read_artifact(path: str | Path) -> Artifact:
    """Reads what travels with the network of a `.tflite` file.

    Raises:
        ArtifactError: No such file, not a TFLite file, a truncated one, or one that speechzoo didn't export.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(8)
            if head[4:] != FLATBUFFER_IDENTIFIER:
                raise ArtifactError(f"{path}: {'empty' if not head else 'not a TFLite file'}")
            with zipfile.ZipFile(file) as archive:
                texts = {name: _member(archive, name) for name in (SETTINGS, PARITY, SENSITIVITY, CARD, NOTICES)}
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror.lower() if error.strerror else error}") from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeDecodeError, RuntimeError):
        raise ArtifactError(f"{path}: holds no spec; it is truncated or was not written by speechzoo export") from None
    if texts[SETTINGS] is None:
        raise ArtifactError(f"{path}: holds no spec; it was not written by speechzoo export")
    try:
        settings = json.loads(texts[SETTINGS])
        if settings["format"] != FORMAT or settings["decoder"]["type"] != "greedy":
            raise ArtifactError(f"{path}: written for another version of speechzoo (format {settings['format']}); "
                                "update it")
        spec = settings["spec"]
        if not isinstance(spec["sample_rate"], int) or not all(item["type"] for item in spec["heads"].values()):
            raise TypeError
        sources = settings.get("derived_from", [])
        if not all(isinstance(source, dict) for source in sources):
            raise TypeError
        return Artifact(spec, int(settings["minimum_samples"]), str(settings["quantize"]),
                        json.loads(texts[PARITY] or "[]"), texts[CARD] or "",
                        json.loads(texts[SENSITIVITY] or "[]"), str(settings.get("licence", "")),
                        sources, texts[NOTICES] or "")
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError):
        raise ArtifactError(f"{path}: its spec is damaged; export the model again") from None


def _member(archive: zipfile.ZipFile, name: str) -> str | None:
    if name not in archive.namelist():
        return None
    if archive.getinfo(name).file_size > MAXIMUM_MEMBER_BYTES:
        raise zipfile.BadZipFile
    return archive.read(name).decode("utf-8")


def _json(value) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
