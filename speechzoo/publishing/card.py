"""The card of a published model: what the hub reads of it as YAML, and what people read."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from speechzoo.decoding.answers import answer_kind
from speechzoo.origin import ORIGIN, UNKNOWN_LICENCE
from speechzoo.publishing.figures import DATASETS, figures_table

SPEECH, SOUND = "automatic-speech-recognition", "audio-classification"
# The hub's word for a licence that is not known.
_UNKNOWN = "unknown"


@dataclass
class Card:
    """What a card is made of.

    Attributes:
        model: The `MultiTaskModel`.
        licence: SPDX identifier of the weights' licence; empty where it is not known.
        base_models: What the weights derive from, as the hub names it.
        figures: Corpus -> head -> metric -> value.
        how: What the figures were measured on, and by which command.
        text: The card that somebody has written, in place of a summary.
        files: What lies beside it: name -> what it is.
        source: What `speechzoo.load` takes: `hf://owner/name`, or the folder's name.
    """

    model: object
    licence: str
    base_models: list[str]
    figures: dict
    how: str
    text: str | None
    files: dict[str, str]
    source: str

    def readme(self) -> str:
        """`README.md`: the metadata, the card, and how to use the model."""
        metadata = yaml.safe_dump(self.metadata(), sort_keys=False, allow_unicode=True)
        return f"---\n{metadata}---\n\n{self.body().strip()}\n\n{self._usage()}"

    def metadata(self) -> dict:
        """What the hub's catalogue shows and searches: https://huggingface.co/docs/hub/model-cards."""
        specs = self.model.spec["heads"].values()
        speech = any(answer_kind(spec).writes_words(spec) and spec["label"] == "transcript" for spec in specs)
        known = self.licence not in ("", UNKNOWN_LICENCE)
        corpora = {Path(source.manifest).parts[0] for source in self.model.zoo_config.data.train}
        values = {
            "license": self.licence.lower() if known else _UNKNOWN,
            "library_name": "keras",
            "pipeline_tag": SPEECH if speech else SOUND,
            "language": languages(specs),
            "base_model": self.base_models,
            "datasets": sorted({DATASETS[corpus] for corpus in corpora if corpus in DATASETS}),
            "tags": ["speechzoo", "keras", "tflite", "multi-task", *dict.fromkeys(spec["label"] for spec in specs)],
        }
        return {key: value for key, value in values.items() if value}

    def body(self) -> str:
        """What people read first."""
        if self.text is not None:
            return self.text
        config = self.model.zoo_config
        corpora = dict.fromkeys(Path(source.manifest).parts[0] for source in config.data.train)
        sections = [f"# {self.model.name}", config.summary,
                    f"A multi-task speech model: the front end `{config.frontend.type}` and the backbone "
                    f"`{config.backbone.type}` listen once, and every head answers.",
                    "\n".join(["| head | type | answers |", "| --- | --- | --- |",
                               *(f"| {name} | {spec['type']} | {_answers(spec)} |"
                                 for name, spec in self.model.spec["heads"].items())])]
        if corpora:
            sections.append(f"Trained on: {', '.join(corpora)}.")
        derived = [f"{source['name']} ({source['licence']}, {source['copyright']})" if source["copyright"] else
                   f"{source['name']} ({source['licence']})" for source in self.model.origin.derived_from]
        licence = self.licence if self.licence not in ("", UNKNOWN_LICENCE) else "not stated"
        sections.append(f"Licence of the weights: {licence}."
                        + (f" They derive from {'; '.join(derived)}." if derived else ""))
        if self.figures:
            sections += ["## Figures", f"{self.how[:1].upper()}{self.how[1:]}.", "\n".join(figures_table(self.figures))]
        return "\n\n".join(sections)

    def _usage(self) -> str:
        files = "".join(f"- `{name}`: {what}\n" for name, what in self.files.items())
        tflite = next((name for name in self.files if name.endswith(".tflite")), None)
        return (f"## Use\n\n```python\nimport speechzoo\n\nmodel = speechzoo.load(\"{self.source}\")  # a keras.Model\n"
                f"print(model.recognize(\"recording.wav\"))\n```\n\n`keras.saving.load_model(\"{self.source}\")` gives "
                "the same model, after `import speechzoo`. On a device, without TensorFlow:\n\n```python\n"
                f"model = speechzoo.EdgeModel(\"{tflite}\")\nprint(model.recognize(\"recording.wav\"))\n```\n\n{files}")


def languages(specs: Iterable[dict]) -> list[str]:
    """What the heads read or write, as the hub says it: `en`, `multilingual`; nothing where their units don't tell."""
    found = set()
    for spec in specs:
        if spec.get("kind") in ("characters", "phones"):
            found.add("en")  # a to z and the apostrophe, ARPAbet
        elif spec["type"] == "seq2seq" and spec["kind"] == "bytes":
            names = [spec["units"][index] for index in spec["start"]]
            found.add("multilingual" if "<|en|>" in names else "en")
    return sorted(found)


def base_models(folder: str | Path, derived_from: list[dict]) -> list[str]:
    """What weights derive from, as the hub names it, as far as that is known.

    Args:
        folder: Folder of the weights, in which `origin.json` may say that they came from the hub.
        derived_from: Published weights that they began from; see `speechzoo.origin.Origin`.
    """
    path = Path(folder) / ORIGIN
    given = json.loads(path.read_text(encoding="utf-8")).get("file", {}) if path.is_file() else {}
    on_hub = re.match(r"hf://([^@]+)", str(given.get("from", "")) if isinstance(given, dict) else "")
    if on_hub:
        return [on_hub[1]]
    names = [re.fullmatch(r"Whisper ([\w.\-]+)", source["name"]) for source in derived_from]
    return [f"openai/whisper-{found[1]}".removesuffix("-v1") for found in names if found]


def _answers(spec):
    labels = answer_kind(spec).labels(spec)
    if not labels:
        return "a voice embedding" if spec["type"] == "speaker" else ""
    few = ", ".join(f"`{label}`" for label in labels) if len(labels) <= 12 else f"{len(labels)} labels"
    return few.replace("|", "\\|")
