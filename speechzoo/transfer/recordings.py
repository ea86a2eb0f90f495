"""The recordings that a model shall learn from: their labels, the head for them, and folds."""

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechzoo.audio import AudioError, audio_info
from speechzoo.config import ConfigError, HeadConfig, ZooConfig
from speechzoo.corpora.labelled import read_labelled

FOLDS = 5
# Of as many speakers each is left out once.
MOST_SPEAKERS = 8
# Heads of labels that aren't classes.
_HEADS = {"transcript": {"type": "ctc", "options": {"units": "characters"}},
          "phones": {"type": "ctc", "options": {"units": "phones"}}}


@dataclass
class Recordings:
    """Labelled recordings.

    Attributes:
        utterances: Lines of a manifest with absolute paths and durations, those with the label.
        label: The field.
        skipped: Recordings without the label, or that can't be read.
        by_speaker: Whether folds hold whole speakers out.
        folds: Numbers of the utterances that each fold holds out.
        digest: Identifies utterances and folds.
    """

    utterances: list[dict]
    label: str
    skipped: int
    by_speaker: bool
    folds: list[np.ndarray]
    digest: str

    @property
    def seconds(self) -> float:
        """Their length together."""
        return float(sum(utterance["duration"] for utterance in self.utterances))

    def write(self, path: Path, chosen: np.ndarray):
        """Writes a manifest of some of them."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(self.utterances[index]) + "\n" for index in chosen), encoding="utf-8")

    def head(self, config: ZooConfig, name: str) -> HeadConfig:
        """The head for the label: the model's own where it knows all the labels, and a new one otherwise."""
        values = [utterance[self.label] for utterance in self.utterances]
        own = config.heads.get(name)
        classes = sorted({value for value in values if isinstance(value, str)})
        if own is not None and not (own.type == "classifier" and set(classes) - set(own.options.get("classes", []))):
            return own
        if own is None and self.label in _HEADS:
            return HeadConfig(label=self.label, **_HEADS[self.label])
        if not all(isinstance(value, str) for value in values) or len(classes) < 2:
            raise ConfigError(f"head '{name}': labels of {self.label} must be two words or more to be told apart, got "
                              f"{', '.join(map(str, classes)) or values[0]!r}; name a head that the model has, or "
                              "another label")
        return HeadConfig("classifier", self.label, options={"classes": classes})


def read_recordings(data: str | Path, label: str) -> Recordings:
    """Reads a manifest, a prepared folder, or a folder with one folder per class.

    Args:
        data: Manifest (JSONL), folder that holds `manifest.jsonl`, or folder whose folders are called as what is heard.
        label: Field of an utterance, or what the folders' names are.

    Raises:
        ConfigError: Too few recordings with the label.
        CorpusError, ManifestError: The data can't be read.
    """
    found, without = read_labelled(data, label)
    utterances = [utterance for utterance in map(_timed, found) if utterance is not None]
    if len(utterances) < 4:
        raise ConfigError(f"{data}: {len(utterances)} usable recordings with a label {label}; four are the least that "
                          "something can be learnt and measured on")
    folds, by_speaker = make_folds(utterances, label)
    digest = hashlib.sha256(json.dumps([utterances, [fold.tolist() for fold in folds]], sort_keys=True).encode())
    return Recordings(utterances, label, without + len(found) - len(utterances), by_speaker, folds, digest.hexdigest())


def make_folds(utterances: list[dict], label: str) -> tuple[list[np.ndarray], bool]:
    """Numbers of the utterances that each fold holds out, and whether these are whole speakers.

    Where all speakers are known and there are three or more, each is left out once, or of more than eight a fifth at a
    time. Otherwise each class is dealt out over the folds.
    """
    speakers = defaultdict(list)
    for number, utterance in enumerate(utterances):
        speakers[utterance.get("speaker")].append(number)
    if None not in speakers and len(speakers) >= 3:
        groups = sorted(speakers.values(), key=lambda group: (-len(group), group))
        folds = [[] for _ in range(len(groups) if len(groups) <= MOST_SPEAKERS else FOLDS)]
        for group in groups:
            min(folds, key=len).extend(group)
        return [np.array(sorted(fold)) for fold in folds], True
    classes = [json.dumps(utterance[label], sort_keys=True) for utterance in utterances]
    counts = Counter(classes)
    # Labels that are nearly all different, such as transcripts, are no classes.
    key = classes if 2 * len(counts) <= len(classes) else [""] * len(classes)
    order = sorted(range(len(utterances)), key=lambda number: (key[number], hashlib.sha256(
        str(utterances[number]["id"]).encode()).hexdigest()))
    count = min(FOLDS, len(utterances) // 2)
    folds = [np.array(sorted(order[start::count])) for start in range(count)]
    return folds, False


def _timed(utterance):
    """An utterance with its duration; None when its audio can't be read."""
    if utterance.get("duration") is None:
        try:
            utterance["duration"] = audio_info(utterance["audio"]).duration - utterance.get("start", 0.0)
        except (AudioError, OSError, KeyError):
            return None
    return utterance
