import json
import os
import signal
import subprocess
import sys
import time

import pytest

from speechzoo import __version__, cli
from tests.helpers import tone, write_wav


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture
def words(tmp_path):
    for word in ("yes", "no"):
        write_wav(tmp_path / "words" / word / "a.wav", tone(0.5))
    (tmp_path / "words" / "no" / "b.wav").touch()
    return tmp_path / "words"


def test_prepare_prints_what_it_found_and_skipped(words, tmp_path, capsys):
    assert run("prepare", "folder", "--source", words, "--out", tmp_path / "out", "--workers", 1, "--label", "event",
               "--option", "language=en") == 0
    output = capsys.readouterr().out
    assert "manifest.jsonl: 2 utterances, 0.00 h, 1 shards" in output
    assert "event: 2 utterances: no 1, yes 1" in output and "language: 2 utterances: en 2" in output
    assert "skipped 1, listed in" in output and "1 x empty, N bytes" in output
    assert len((tmp_path / "out" / "manifest.jsonl").read_text().splitlines()) == 2


def test_every_option_reaches_prepare(words, tmp_path, capsys):
    write_wav(words / "yes" / "long.wav", tone(3.0))
    (tmp_path / "lexicon.txt").write_text("yes Y EH S\n")
    (words / "yes" / "a.txt").write_text("Yes!")
    (words / "no" / "a.txt").write_text("No.")
    (words / "no" / "b.m4a").write_bytes(b"\0\0\0\x20ftypM4A ")
    (words / "notes.csv").touch()
    assert run("prepare", "folder", "--source", words, "--out", tmp_path / "out", "--workers", 2, "--hold-out", "0.5",
               "--lexicon", tmp_path / "lexicon.txt", "--trim-silence", "--maximum-seconds", 2) == 0
    output = capsys.readouterr().out
    for text in ("phones: 2 utterances", "phones guessed from letters: 1 words that the lexicon doesn't have: no 1",
                 "rewritten as they are spoken: 2 transcripts", "1 x no recording, by its ending .csv",
                 "1 x .m4a can't be read; convert it: ffmpeg -i FILE.m4a FILE.wav", "split: 2 utterances", "longer than N s"):
        assert text in output


@pytest.mark.parametrize("arguments, message", [
    (["prepare", "folders", "--source", "words", "--out", "out"], "unknown corpus 'folders'; did you mean 'folder'?"),
    (["prepare", "folder", "--source", "missing", "--out", "out"], "missing: no such file or folder"),
    (["prepare", "folder", "--source", "words", "--out", "words/no/a.wav"], "words/no/a.wav: is a file"),
    (["prepare", "folder", "--source", "words", "--out", "words/no/a.wav/out"], "a.wav/out/.partial: not a directory"),
    (["prepare", "folder", "--source", "words", "--out", "/proc/nowhere"], "/proc/nowhere: no such file or directory"),
    (["prepare", "folder", "--source", "words", "--out", "out", "--option", "lable=x"], "did you mean 'label'?"),
    (["prepare", "folder", "--source", "words", "--out", "out", "--split", "dev"], "no utterance of split dev"),
    (["prepare", "folder", "--source", "words", "--out", "out", "--same-split-as", "m.jsonl"], "needs --hold-out"),
    (["prepare", "folder", "--source", "words", "--out", "out", "--hold-out-names", "a", "--hold-out", "0.2"],
     "--hold-out-names says exactly who is held out"),
    (["prepare", "folder", "--source", "words", "--out", "out", "--hold-out-names", "words/no/c.wav"],
     "no speaker or recording 'words/no/c.wav' to hold out; did you mean 'words/no/"),
])
def test_errors_are_one_line_and_exit_code_2(words, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments, "--workers", "1") == 2
    output = capsys.readouterr()
    assert output.err.startswith("speechzoo: error: ") and message in output.err and output.err.count("\n") == 1


@pytest.mark.parametrize("error, code, text", [
    (KeyboardInterrupt(), 130, "speechzoo: interrupted\n"),
    (ValueError("two\nlines"), 2, "speechzoo: error: two lines\n"),
    (OSError(28, "No space left on device", "a.bin"), 2, "speechzoo: error: a.bin: no space left on device\n"),
    (OSError(28, "No space left on device"), 2, "speechzoo: error: no space left on device\n"),
    (ImportError("needs the package x"), 2, "speechzoo: error: needs the package x\n"),
])
def test_exit_codes(words, monkeypatch, capsys, error, code, text):
    def fail(arguments):
        raise error

    monkeypatch.setattr("speechzoo.cli.prepare.run", fail)
    assert run("prepare", "folder", "--source", words, "--out", "x") == code
    assert capsys.readouterr().err == text


def test_wrong_arguments_and_version(capsys):
    assert run("prepare", "folder") == 2
    assert run("nonsense") == 2
    assert run("prepare", "folder", "--source", "a", "--out", "b", "--option", "x") == 2
    assert "'x' is not KEY=VALUE" in capsys.readouterr().err
    assert run("--version") == 0
    assert capsys.readouterr().out == f"speechzoo {__version__}\n"


def test_help_imports_nothing_heavy():
    program = ("import sys\nfrom speechzoo.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
               "import json; print(json.dumps(sorted({'tensorflow', 'keras', 'numpy', 'rich'} & set(sys.modules))))")
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert json.loads(output.splitlines()[-1]) == []
    for name in cli.COMMANDS:
        assert f"    {name}" in output


def test_ctrl_c_ends_a_parallel_run_at_once(tmp_path):
    for number in range(300):
        write_wav(tmp_path / "words" / "yes" / f"{number}.wav", tone(1.0))
    command = [sys.executable, "-m", "speechzoo", "prepare", "folder", "--source", str(tmp_path / "words"),
               "--out", str(tmp_path / "out"), "--workers", "2"]
    # A session of its own, as Ctrl-C in a terminal reaches the workers as well; whoever runs the tests in the background
    # has Ctrl-C ignored, which children inherit.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    while not list((tmp_path / "out").glob(".partial/*.tfrecord")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, 2)
    assert process.communicate(timeout=60)[1] == "speechzoo: interrupted\n"
    assert process.returncode == 130 and not (tmp_path / "out" / "manifest.jsonl").exists()
