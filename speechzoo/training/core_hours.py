"""What a run costs."""

import os


class CoreHours:
    """Hours that processor cores have worked for this process since it was made.

    All threads count, and processes that it has started, once they have ended.
    """

    def __init__(self):
        self._last = _seconds()

    def take(self) -> float:
        """The hours since the last call."""
        now = _seconds()
        hours, self._last = (now - self._last) / 3600, now
        return hours


def _seconds():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
