"""What the C++ of TensorFlow and LiteRT writes to standard error, kept from programs that print answers."""

import contextlib
import os
import threading

# Standard error belongs to the process: two threads that exchange it at once would not both put it back.
_EXCHANGED = threading.RLock()


@contextlib.contextmanager
def without_remarks():
    """Nothing that is written to standard error in this context gets there; errors are exceptions and do.

    Whoever wants the remarks sets TF_CPP_MIN_LOG_LEVEL=0, as for those of TensorFlow.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        yield
        return
    with _EXCHANGED:
        try:
            kept = os.dup(2)
        except OSError:  # a service that has no standard error
            yield
            return
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
