"""The converter of `.tflite` files in the tests' own process, which has TensorFlow already: a new one costs seconds."""

import contextlib
import json
import subprocess
import sys
import traceback

import pytest

CONVERTER = [sys.executable, "-m", "speechzoo.exporters.network.conversion"]


@contextlib.contextmanager
def converting_here():
    """While it is open, a command that starts the converter is carried out here, with the same request and answer."""
    start = subprocess.run

    def run(command, *arguments, **options):
        if list(command[:len(CONVERTER)]) != CONVERTER:
            return start(command, *arguments, **options)
        from speechzoo.exporters.network import conversion

        try:
            conversion._run(**json.loads(command[-1]))
        except Exception:
            return subprocess.CompletedProcess(command, 1, stderr=traceback.format_exc().encode())
        return subprocess.CompletedProcess(command, 0, stderr=b"")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "run", run)
        yield


@contextlib.contextmanager
def converting_in_a_process(start=subprocess.run):
    """As it ships, whatever is open outside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "run", start)
        yield
