"""Free Spoken Digit Dataset: English digits by six speakers (Jackson et al.)."""

import re
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, audio_files, read_text

_DIGITS = "zero one two three four five six seven eight nine".split()
_NAME = re.compile(r"([0-9])_(\w+)_(\d+)")
_TEST_TAKES = 5  # "recordings 0-4 are the test set, 5-49 the training set"


@register(CORPORA, "fsdd")
class FreeSpokenDigits(Corpus):
    """Labels: keyword (the digit as a word), transcript (the same), speaker, gender, language; splits train, test."""

    labels = ("keyword", "transcript", "speaker", "gender", "language")

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        clips = [path for path in audio_files(source / "recordings") if _NAME.fullmatch(path.stem)]
        if not clips:
            raise CorpusError(f"{source / 'recordings'}: no clips in it; expected <digit>_<speaker>_<take>.wav")
        metadata = source / "metadata.py"
        # metadata.py is Python; it is read as text, never run.
        text = read_text(metadata) if metadata.is_file() else ""
        genders = dict(re.findall(r"'(\w+)':\s*\{\s*'gender':\s*'(male|female)'", text))
        for path in clips:
            utterance = {"audio": path.relative_to(source).as_posix(), "corpus": "fsdd",
                         **labels_of_clip(path.name, int(path.name[0]))}
            speaker = utterance["speaker"].removeprefix("fsdd_")
            if speaker in genders:
                utterance["gender"] = genders[speaker]
            yield utterance


def labels_of_clip(file_name: str, digit: int) -> dict:
    """What the name of a clip, "<digit>_<speaker>_<take>.wav", says; just the digit's labels for any other name."""
    labels = {"keyword": _DIGITS[digit], "transcript": _DIGITS[digit], "language": "en"}
    name = _NAME.fullmatch(file_name.removesuffix(".wav"))
    if name:
        labels |= {"id": f"fsdd/{name[0]}", "split": "test" if int(name[3]) < _TEST_TAKES else "train",
                   "speaker": f"fsdd_{name[2]}"}
    return labels
