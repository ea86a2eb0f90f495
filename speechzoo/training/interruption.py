"""Ctrl-C and SIGTERM as a wish to stop, granted when a step is complete."""

import signal
import threading


class Interruption:
    """While the context is open the first SIGINT or SIGTERM only sets `requested`; the second one acts as usual.

    Outside the main thread, where Python can't handle signals, it does nothing.
    """

    def __init__(self):
        self.requested = False
        self._previous = {}

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *exception):
        self._restore()

    def _request(self, number, frame):
        self.requested = True
        self._restore()

    def _restore(self):
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
