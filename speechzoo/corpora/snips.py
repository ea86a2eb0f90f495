"""SNIPS: written requests to a voice assistant with intents and slots (Coucke et al. 2018)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, CorpusError, TextCorpus
from speechzoo.text.normalize import normalize_transcript

_NAME = re.compile(r"(train|validate)_([A-Za-z]+)(_full)?\.json")


@register(CORPORA, "snips")
class Snips(TextCorpus):
    """Labels: transcript, intent, slots, language; `split` is train or validate.

    Where a slot occurs twice in a request, its first value is kept. Of `train_<intent>.json` and the larger
    `train_<intent>_full.json` beside it, the larger is read.
    """

    labels = ("transcript", "intent", "slots", "language")

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        names = {}
        for path in sorted(source.rglob("*.json")):
            name = _NAME.fullmatch(path.name)
            if name and (name[3] or (name[1], name[2]) not in names):
                names[name[1], name[2]] = path
        if not names:
            raise CorpusError(f"{source}: no requests in it; expected files such as train_PlayMusic.json")
        for (split, intent), path in sorted(names.items()):
            for number, chunks in enumerate(_read_requests(path, intent)):
                slots = {}
                for chunk in chunks:
                    value = normalize_transcript(chunk["text"])
                    if "entity" in chunk and value:
                        slots.setdefault(chunk["entity"], value)
                utterance = {"id": f"snips/{split}/{intent}/{number}", "corpus": "snips", "split": split,
                             "language": "en",
                             "transcript": normalize_transcript("".join(chunk["text"] for chunk in chunks)),
                             "intent": intent}
                if slots:
                    utterance["slots"] = slots
                yield utterance


def _read_requests(path: Path, intent: str) -> list[list[dict]]:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # some of the files that SNIPS published are
    try:
        return [request["data"] for request in json.loads(text)[intent]]
    except (ValueError, KeyError, TypeError):
        raise CorpusError(f'{path}: expected {{"{intent}": [{{"data": [{{"text": ...}}, ...]}}, ...]}}') from None
