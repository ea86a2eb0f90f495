"""speechocean762: English sentences of Mandarin speakers, half of them children (Zhang et al. 2021)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, read_table, read_text, require
from speechzoo.text.normalize import normalize_transcript

_ADULT_AGE = 18
_GENDERS = {"m": "male", "f": "female"}


@register(CORPORA, "speechocean762")
class SpeechOcean762(Corpus):
    """Labels: transcript, phones (the canonical ones), speaker, gender, age_group, age (years), language.

    Reads the Kaldi layout of the corpus; `split` is the folder, train or test. Phones come from `resource/text-phone`,
    or from `resource/scores.json` where that is missing.
    """

    labels = ("transcript", "phones", "speaker", "gender", "age_group", "age", "language")
    strata = ("age_group", "gender")

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        folders = [source / name for name in ("train", "test") if (source / name / "wav.scp").is_file()]
        if not folders:
            raise CorpusError(f"{source / 'train' / 'wav.scp'}: not found; expected speechocean762's Kaldi folders")
        phones = _read_phones(source / "resource")
        for folder in folders:
            yield from _read_folder(folder, phones)


def _read_folder(folder: Path, phones: dict[str, str]) -> Iterator[dict]:
    texts = dict(read_table(require(folder / "text", "the transcripts"), 2))
    speakers = dict(read_table(require(folder / "utt2spk", "the speaker of each utterance"), 2))
    genders = dict(read_table(require(folder / "spk2gender", "the gender of each speaker"), 2))
    ages = dict(read_table(require(folder / "spk2age", "the age of each speaker"), 2))
    for name, audio in read_table(folder / "wav.scp", 2):
        for table, values in (("text", texts), ("utt2spk", speakers)):
            if name not in values:
                raise CorpusError(f"{folder / table}: utterance {name} of wav.scp is missing")
        speaker = speakers[name]
        utterance = {"id": f"speechocean762/{name}", "audio": audio, "corpus": "speechocean762", "split": folder.name,
                     "language": "en", "speaker": f"speechocean762_{speaker}",
                     "transcript": normalize_transcript(texts[name])}
        if name in phones:
            utterance["phones"] = phones[name]
        if speaker in genders:
            if genders[speaker] not in _GENDERS:
                raise CorpusError(f"{folder / 'spk2gender'}: gender of speaker {speaker} is '{genders[speaker]}', "
                                  "expected m or f")
            utterance["gender"] = _GENDERS[genders[speaker]]
        if speaker in ages:
            if not ages[speaker].isdecimal():
                raise CorpusError(f"{folder / 'spk2age'}: age of speaker {speaker} is '{ages[speaker]}', "
                                  "expected years")
            utterance["age"] = int(ages[speaker])
            utterance["age_group"] = "child" if utterance["age"] < _ADULT_AGE else "adult"
        yield utterance


def _read_phones(resource: Path) -> dict[str, str]:
    words: dict[str, list[str]] = {}
    if (resource / "text-phone").is_file():
        # One line per word: "<utterance>.<word> M_B AA0_I R_I K_E"; the words stand in order.
        for name, phones in read_table(resource / "text-phone", 2):
            words.setdefault(name.rpartition(".")[0], []).append(phones)
    elif (resource / "scores.json").is_file():
        scores = json.loads(read_text(resource / "scores.json"))
        for name, values in scores.items():
            words[name] = [" ".join(word["phones"]) if isinstance(word["phones"], list) else word["phones"]
                           for word in values["words"]]
    return {name: re.sub(r"[0-9]?(_[BIES])?(?= |$)", "", " ".join(phones)) for name, phones in words.items()}
