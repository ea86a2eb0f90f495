"""The thread of a model: recordings that wait for it together are one batch."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from speechzoo.decoding.recognizer import Recognizer
from speechzoo.server.limits import BATCH_SECONDS, LENGTH_RATIO


@dataclass
class _Job:
    """What the model's thread is to do: hear a recording, or call a function."""

    audio: np.ndarray | None = None
    heads: list[str] | None = None
    function: Callable | None = None
    arguments: tuple = ()
    future: Future = field(default_factory=Future)


class Batcher:
    """Runs one model in a thread of its own, because neither an interpreter nor a graph serves two at a time.

    Nobody waits for a batch to fill: what has come while the model was at work is the next one, so a lonely request is
    answered at once, and many are answered together. The oldest is always in it; of the others those that are about
    as long.

    Args:
        model: Whose thread this is.
        largest: Recordings in a batch.
        observe: Is told the number of recordings of every batch.
    """

    def __init__(self, model: Recognizer, largest: int, observe: Callable[[int], None] = lambda size: None):
        self._model, self._largest, self._observe = model, largest, observe
        self._rate = model.spec["sample_rate"]
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Recordings and steps of streams that the model hasn't begun with."""
        return len(self._jobs)

    def outputs(self, audio: np.ndarray, heads: list[str] | None = None) -> Future:
        """The heads' outputs for a recording, as `Recognizer.batch_outputs` gives them for one."""
        return self._add(_Job(audio, heads))

    def call(self, function: Callable, *arguments) -> Future:
        """Calls what must not run beside the model, such as a step of its decoder."""
        return self._add(_Job(function=function, arguments=arguments))

    def close(self):
        """Ends the thread once all that was asked has been answered."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _add(self, job):
        with self._changed:
            if self._closed:
                raise RuntimeError("the model's thread has ended")
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def _work(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._closed)
                if not self._jobs:
                    return
                batch = self._take()
            batch = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if batch:
                self._answer(batch)

    def _take(self) -> list[_Job]:
        first = self._jobs.popleft()
        batch, others = [first], deque()
        longest = len(first.audio) if first.audio is not None else 0
        for job in self._jobs:
            length = len(job.audio) if job.audio is not None else 0
            fits = (first.audio is not None and job.audio is not None and len(batch) < self._largest
                    and len(first.audio) / LENGTH_RATIO <= length <= LENGTH_RATIO * len(first.audio)
                    and (len(batch) + 1) * max(longest, length) <= BATCH_SECONDS * self._rate)
            if fits:
                batch.append(job)
                longest = max(longest, length)
            else:
                others.append(job)
        self._jobs = others
        return batch

    def _answer(self, batch):
        try:
            if batch[0].function is not None:
                results = [batch[0].function(*batch[0].arguments)]
            else:
                self._observe(len(batch))
                results = self._model.batch_outputs([job.audio for job in batch], _all_heads(batch))
        except Exception as error:
            if len(batch) == 1:
                batch[0].future.set_exception(error)
            else:  # one of them, or all together, are too much: each has a chance of its own
                for job in batch:
                    self._answer([job])
            return
        for job, result in zip(batch, results):
            job.future.set_result(result)


def _all_heads(batch) -> list[str] | None:
    """The heads that any of the jobs needs; more than one needs do no harm."""
    if any(job.heads is None for job in batch):
        return None
    return list(dict.fromkeys(head for job in batch for head in job.heads))
