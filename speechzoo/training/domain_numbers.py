"""Which domain each recording of a batch is from."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.batching import Batch, BatchPlan

NO_DOMAIN = -1
"""`NO_DOMAIN` is the number of recordings that count nowhere: without a domain, unreadable, or filling a batch."""


class DomainNumbers:
    """Numbers of the domains of a plan's utterances, added to the inputs of its batches.

    Args:
        name: Of the input, int32 (batch,).
        field: Field of the utterances that says their domain.
        domains: Its values; their places are the numbers.
        plan: Plan of the batches, whose examples keep the field.
        reader: Reads their audio.

    Attributes:
        mixed: Share of the batches of the last planned epoch that hold recordings of two domains or more.
    """

    def __init__(self, name: str, field: str, domains: list[str], plan: BatchPlan, reader: AudioReader):
        self._name, self._examples, self._reader, self._domains = name, plan.examples, reader, domains
        places = {domain: place for place, domain in enumerate(domains)}
        self._numbers = np.array([NO_DOMAIN if value is None else places[str(value)]
                                  for value in plan.examples.values[field]], np.int32)
        found = [np.unique(self._numbers[batch.indices][self._numbers[batch.indices] >= 0])
                 for batch in plan.epoch(plan.epochs - 1)]
        self.mixed = float(np.mean([len(numbers) > 1 for numbers in found]))

    def add_to(self, batches: Iterable, plan: list[Batch]) -> Iterator[tuple]:
        """The batches `(inputs, targets, weights)` that a part of the plan makes, with one more input."""
        for (inputs, targets, weights), batch in zip(batches, plan):
            readable = [self._examples.ids[index] not in self._reader.failures for index in batch.indices]
            counts = (batch.weights > 0) & np.array(readable)
            yield {**inputs, self._name: np.where(counts, self._numbers[batch.indices], NO_DOMAIN)}, targets, weights

    def report(self) -> dict:
        """Counts of utterances by domain, and the share of mixed batches, for `data.json`."""
        counts = Counter(self._numbers.tolist())
        return {"utterances": {domain: counts[place] for place, domain in enumerate(self._domains)},
                "mixed_batches": round(self.mixed, 3)}
