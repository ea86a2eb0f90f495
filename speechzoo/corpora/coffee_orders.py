"""Coffee orders: the recordings of Picovoice's speech-to-intent benchmark, whose grammar is a coffee maker's."""

import json
from collections.abc import Iterator
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.corpus import CORPORA, Corpus, CorpusError, audio_files


@register(CORPORA, "coffee_orders")
class CoffeeOrders(Corpus):
    """Labels: intent, slots, language. Speakers aren't known; there are no splits.

    For measuring: engines are compared on these recordings, so nothing should be trained on them.
    """

    labels = ("intent", "slots", "language")

    def read(self, source: str | Path) -> Iterator[dict]:
        source = Path(source)
        found = next(iter(sorted(source.rglob("label.json"))), None)
        if found is None:
            raise CorpusError(f"{source}: no label.json in it; expected the benchmark's recordings and their labels")
        try:
            labels = json.loads(found.read_text(encoding="utf-8"))
            orders = {name: (str(label["intent"]), {str(slot): str(value).strip()
                                                    for slot, value in label["slots"].items()})
                      for name, label in labels.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise CorpusError(f"{found}: expected an object of recordings with their 'intent' and 'slots'") from None
        for path in audio_files(source):
            if path.name in orders:
                intent, slots = orders[path.name]
                audio = path.relative_to(source).as_posix()
                yield {"id": f"coffee_orders/{audio}", "audio": audio, "corpus": "coffee_orders", "intent": intent,
                       "slots": slots, "language": "en"}
