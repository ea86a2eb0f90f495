"""Speech Commands: one-second clips of 35 words (Warden 2018)."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import soundfile

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, audio_files, read_text, require
from speechzoo.text.units import SILENCE_CLASS

_NAME = re.compile(r"(?:[a-z]+_)?([0-9a-f]+)_nohash_\d+")
_LISTS = {"training_list.txt": "training", "validation_list.txt": "validation", "testing_list.txt": "testing"}
_MAXIMUM_CLIPS_PER_WORD = 2 ** 27 - 1  # of the set's own split function


def which_set(name: str, validation_percentage: float = 10.0, testing_percentage: float = 10.0) -> str:
    """The split of a clip, by the hash of its speaker, as the README of Speech Commands defines it.

    Args:
        name: File name, such as "bed/0a7c2a8d_nohash_0.wav"; only the part before "_nohash_" matters.
        validation_percentage: Part that goes to validation.
        testing_percentage: Part that goes to testing.

    Returns:
        "training", "validation" or "testing".

    Example:
        >>> which_set("bed/6d818f6c_nohash_2.wav")
        'validation'
    """
    speaker = re.sub(r"_nohash_.*$", "", name.rsplit("/", 1)[-1])
    digest = int(hashlib.sha1(speaker.encode()).hexdigest(), 16)
    percentage = digest % (_MAXIMUM_CLIPS_PER_WORD + 1) * (100.0 / _MAXIMUM_CLIPS_PER_WORD)
    if percentage < validation_percentage:
        return "validation"
    return "testing" if percentage < validation_percentage + testing_percentage else "training"


# Labels of clips in which nobody speaks and nothing sounds that has a name.
_NOBODY = {"event": "none", "speech": "none"}


@register(CORPORA, "speech_commands")
class SpeechCommands(Corpus):
    """Labels: keyword (the word), transcript (the same), speaker, language; `split` is training, validation or testing.

    Of silence they are keyword, event and speech, the last two `none`.

    The set's own lists decide the split of what they hold, its hash that of the rest. The long recordings of
    `_background_noise_` are cut into clips of one second with the keyword `_silence_`: the first 80 % of each are for
    training, the next 10 % for validation, the last 10 % for testing. A classifier that has the class `_unknown_` takes
    the words it doesn't know for it.

    Args:
        background_noise: Folder of the long noises, `_background_noise_` in the corpus' folder by default.
    """

    labels = ("keyword", "transcript", "speaker", "language", "event", "speech")

    def __init__(self, background_noise: str | Path | None = None):
        self.background_noise = background_noise

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        words = sorted(path for path in require(source, "the folder of Speech Commands").iterdir()
                       if path.is_dir() and path.name != "_background_noise_" and not path.name.startswith("."))
        splits = _read_lists(source)
        found = False
        for word in words:
            for path in audio_files(word):
                found = True
                yield _clip(path.relative_to(source).as_posix(), word.name, splits)
        if not found:
            raise CorpusError(f"{source}: no clips in it; expected <word>/<speaker>_nohash_<number>.wav")
        noises = Path(self.background_noise) if self.background_noise else source / "_background_noise_"
        if self.background_noise:
            require(noises, "a folder of background noises")
        if noises.is_dir():
            for path in audio_files(noises):
                yield from _silence(path, Path(os.path.relpath(path, source)).as_posix())


def _read_lists(source: Path) -> dict[str, str]:
    splits = {}
    for name, split in _LISTS.items():
        if (source / name).is_file():
            splits.update((line.strip(), split) for line in read_text(source / name).splitlines())
    return splits


def _clip(audio: str, word: str, splits: dict[str, str]) -> dict:
    utterance = {"id": f"speech_commands/{audio}", "audio": audio, "corpus": "speech_commands",
                 "split": splits.get(audio) or which_set(audio), "keyword": word}
    name = _NAME.fullmatch(Path(audio).stem)
    if word == SILENCE_CLASS:
        utterance |= _NOBODY
    else:
        utterance["language"] = "en"
        if name:
            utterance["speaker"] = f"sc_{name[1]}"
    if not word.startswith("_"):
        utterance["transcript"] = word
    return utterance


def _silence(path: Path, audio: str) -> Iterator[dict]:
    try:
        seconds = int(soundfile.info(path).duration)
    except soundfile.SoundFileError as error:
        raise CorpusError(f"{path}: can't be read: {error}") from None
    for start in range(seconds):
        position = start / seconds
        yield {"id": f"speech_commands/_background_noise_/{path.name}@{start}", "audio": audio, "start": float(start),
               "duration": 1.0, "corpus": "speech_commands", "keyword": SILENCE_CLASS, **_NOBODY,
               "split": "training" if position < 0.8 else "validation" if position < 0.9 else "testing"}
