"""The corpora of TensorFlow Datasets that are read: what their features are called, and what they mean as labels."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from speechzoo.corpora.fsdd import labels_of_clip
from speechzoo.text.normalize import normalize_transcript
from speechzoo.text.units import SILENCE_CLASS

# The names that the actors' instructions used (Cao et al. 2014).
_EMOTIONS = {"NEU": "neutral", "HAP": "happy", "SAD": "sad", "ANG": "anger", "FEA": "fear", "DIS": "disgust"}
# Common Voice's age buckets that are adults for sure; "teens" are 10 to 19.
_ADULT_AGES = ("twenties", "thirties", "fourties", "fifties", "sixties", "seventies", "eighties", "nineties")


@dataclass(frozen=True)
class TfdsSource:
    """How one dataset is read.

    Attributes:
        builder: Name of the TFDS builder; "{config}" stands for what follows "/" in the corpus' name.
        audio: Feature that holds the waveform.
        sample_rate: Hz.
        splits: TFDS split -> split of the utterances.
        labels: (example, the builder's DatasetInfo, config) -> labels, and `id` where the dataset has one.
        corpus: Value of `corpus` in the utterances; the table's name when empty.
        default_config: Used when the name has no "/".
    """

    builder: str
    audio: str
    sample_rate: int
    splits: dict[str, str]
    labels: Callable[[dict, Any, str], dict]
    corpus: str = ""
    default_config: str = ""


def _text(value) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _class_name(info, field: str, value) -> str:
    """The name of a ClassLabel's value; -1 stands for a missing one."""
    return info.features[field].int2str(int(value)) if value >= 0 else ""


def _librispeech(example, info, config):
    labels = {"id": f"librispeech/{_text(example['id'])}", "transcript": normalize_transcript(_text(example["text"])),
              "speaker": f"librispeech_{example['speaker_id']}", "language": "en"}
    # SPEAKERS.TXT, which the builder keeps in its metadata; JSON made its keys text.
    speakers = (info.metadata or {}).get("speakers", {})
    gender = speakers.get(str(example["speaker_id"]), {}).get("gender")
    if gender in ("F", "M"):
        labels["gender"] = "female" if gender == "F" else "male"
    return labels


def _speech_commands(example, info, config):
    word = _class_name(info, "label", example["label"])
    labels = {"keyword": word}
    if word != SILENCE_CLASS:
        labels["language"] = "en"
    if not word.startswith("_"):
        labels["transcript"] = word
    return labels


def _spoken_digit(example, info, config):
    return labels_of_clip(_text(example["audio/filename"]), int(example["label"]))


def _crema_d(example, info, config):
    return {"emotion": _EMOTIONS[_class_name(info, "label", example["label"])], "language": "en",
            "speaker": f"crema_d_{_text(example['speaker_id'])}"}


def _voxceleb(example, info, config):
    # The builder keeps the last four digits of "id10270".
    return {"speaker": f"voxceleb_id1{example['label']:04d}", "video": _text(example["youtube_id"])}


def _common_voice(example, info, config):
    language = config.split("-")[0]
    labels = {"transcript": normalize_transcript(_text(example["sentence"]), language), "language": language,
              "speaker": f"common_voice_{_text(example['client_id'])}"}
    gender = _class_name(info, "gender", example["gender"])
    if gender in ("female", "male"):
        labels["gender"] = gender
    if _text(example["age"]) in _ADULT_AGES:
        labels["age_group"] = "adult"
    if _text(example["accent"]).strip():
        labels["accent"] = _text(example["accent"])
    return labels


def _fleurs(example, info, config):
    language = re.match("[a-z]+", _class_name(info, "lang_id", example["lang_id"]))[0]
    labels = {"transcript": normalize_transcript(_text(example["transcription"]), language), "language": language}
    gender = _class_name(info, "gender", example["gender"])
    if gender in ("female", "male"):
        labels["gender"] = gender
    return labels


_THREE_SPLITS = {"train": "train", "validation": "validation", "test": "test"}

#: Name after "tfds:" -> how it is read.
TFDS_SOURCES = {
    "librispeech": TfdsSource(
        "librispeech", "speech", 16000,
        {"train_clean100": "train-clean-100", "train_clean360": "train-clean-360", "train_other500": "train-other-500",
         "dev_clean": "dev-clean", "dev_other": "dev-other", "test_clean": "test-clean", "test_other": "test-other"},
        _librispeech),
    "speech_commands": TfdsSource(
        "speech_commands", "audio", 16000, {"train": "training", "validation": "validation", "test": "testing"},
        _speech_commands),
    "spoken_digit": TfdsSource("spoken_digit", "audio", 8000, {"train": "train"}, _spoken_digit, corpus="fsdd"),
    "crema_d": TfdsSource("crema_d", "audio", 16000, _THREE_SPLITS, _crema_d),
    "voxceleb": TfdsSource("voxceleb", "audio", 16000, _THREE_SPLITS, _voxceleb),
    # TFDS doesn't keep the rate of the MP3 files, which is 48 kHz in the release it reads. Its split "validation" is
    # validated.tsv, every sentence of the other splits over again, and left out.
    "common_voice": TfdsSource(
        "common_voice/{config}", "voice", 48000, {"train": "train", "dev": "dev", "test": "test"}, _common_voice,
        default_config="en"),
    "fleurs": TfdsSource("xtreme_s/fleurs.{config}", "audio", 16000, _THREE_SPLITS, _fleurs, default_config="en_us"),
}
