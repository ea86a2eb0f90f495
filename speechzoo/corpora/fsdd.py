"""Free Spoken Digit Dataset: English digits by six speakers (Jackson et al.)."""

import re
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, audio_files

_DIGITS = "zero one two three four five six seven eight nine".split()
_TEST_TAKES = 5  # "recordings 0-4 are the test set, 5-49 the training set"


@register(CORPORA, "fsdd")
class FreeSpokenDigits(Corpus):
    """Labels: keyword (the digit as a word), transcript (the same), speaker, gender, language; `split` is train or test."""

    labels = ("keyword", "transcript", "speaker", "gender", "language")

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        names = [(path, re.fullmatch(r"([0-9])_(\w+)_(\d+)", path.stem)) for path in audio_files(source / "recordings")]
        if not any(name for _, name in names):
            raise CorpusError(f"{source / 'recordings'}: no clips in it; expected <digit>_<speaker>_<take>.wav")
        metadata = source / "metadata.py"
        # metadata.py is Python; it is read as text, never run.
        text = metadata.read_text(encoding="utf-8") if metadata.is_file() else ""
        genders = dict(re.findall(r"'(\w+)':\s*\{\s*'gender':\s*'(male|female)'", text))
        for path, name in names:
            if not name:
                continue
            digit, speaker, take = name.groups()
            audio = path.relative_to(source).as_posix()
            utterance = {"id": f"fsdd/{path.stem}", "audio": audio, "corpus": "fsdd",
                         "split": "test" if int(take) < _TEST_TAKES else "train", "keyword": _DIGITS[int(digit)],
                         "transcript": _DIGITS[int(digit)], "speaker": f"fsdd_{speaker}", "language": "en"}
            if speaker in genders:
                utterance["gender"] = genders[speaker]
            yield utterance
