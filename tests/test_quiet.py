"""Loading and recognizing print nothing but what the caller prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exporters.tiny_tflite import tiny_tflite
from tests.helpers import WITHOUT_EXTRAS, tone, write_wav

REPOSITORY = Path(__file__).parents[1]
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def run(code, **environment):
    """Standard output and standard error of a fresh Python whose user has set no level of logging."""
    inherited = {name: value for name, value in os.environ.items() if name != LOG_LEVEL}
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY,
                           env={**inherited, "PYTHONPATH": str(REPOSITORY), **environment})
    assert child.returncode == 0, child.stderr
    return child.stdout, child.stderr


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    return write_wav(tmp_path_factory.mktemp("wav") / "a.wav", tone(0.6, seed=2))


def test_keras(wav):
    code = f"{WITHOUT_EXTRAS}import speechzoo; speechzoo.load('mtl_ds_cnn_micro').recognize({str(wav)!r})"
    assert run(code) == ("", "")


def test_an_exported_file(tmp_path_factory, wav):
    code = f"import speechzoo; speechzoo.EdgeModel({str(tiny_tflite(tmp_path_factory).path)!r}).recognize({str(wav)!r})"
    assert run(code) == ("", "")
    assert "XNNPACK" in run(code, **{LOG_LEVEL: "0"})[1]
    # Errors of Python and what the program itself writes are not lost.
    assert run(f"{code}; import sys; print('seen', file=sys.stderr)")[1] == "seen\n"
    assert run(f"import os; os.close(2); {code}") == ("", "")


def test_a_level_that_the_user_has_set_stays():
    assert run(f"import os, speechzoo; print(os.environ[{LOG_LEVEL!r}])", **{LOG_LEVEL: "1"})[0] == "1\n"


def test_a_python_that_is_too_old_is_told_so():
    code = "import sys; sys.version_info = (3, 10, 4, 'final', 0)\ntry:\n    import speechzoo\nexcept ImportError as e:\n    print(e)"
    assert run(code)[0] == ("speechzoo needs Python 3.11 or 3.12, and this is 3.10: install one of them, and speechzoo "
                            "in it\n")


def test_threads_that_are_quiet_at_once_give_standard_error_back():
    code = """
import sys, threading
from speechzoo.remarks import without_remarks

first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

def first():
    with without_remarks():
        first_in.set()
        second_in.wait(1)
    first_out.set()

def second():
    first_in.wait()
    with without_remarks():
        second_in.set()
        first_out.wait()

threads = [threading.Thread(target=first), threading.Thread(target=second)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("seen", file=sys.stderr)
"""
    assert run(code)[1] == "seen\n"
