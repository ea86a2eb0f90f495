"""Work spread over processes."""

import contextlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool


def available_cores() -> int:
    """The cores that this process may use; those of the machine where the system (macOS, Windows) doesn't say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """`map` in order over processes; in this process when there is one worker.

    Args:
        count: Number of processes.
    """

    def __init__(self, count: int):
        self._pool = None
        if count > 1:
            # Spawned, not forked: a fork of a process that runs TensorFlow hangs.
            self._pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))
            with _ignored_interrupts():  # which the processes that are started here inherit
                self._pool.submit(int)

    def map(self, function, tasks):
        """Yields `function(task)` for every task, in their order.

        Raises:
            OSError: A worker died.
        """
        if self._pool is None:
            yield from map(function, tasks)
            return
        try:
            yield from self._pool.map(function, tasks, chunksize=8)
        except BrokenProcessPool:
            raise OSError("a worker process died, probably for lack of memory; use fewer workers") from None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _ignored_interrupts():
    """Ctrl-C reaches every process of a terminal; only the one that waits for the workers should answer."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
