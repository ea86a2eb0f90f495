"""The script that prepares every corpus: its commands exist, and what is finished isn't done again."""

import argparse
import importlib
import os
import subprocess
from pathlib import Path

from speechzoo.cli import COMMANDS
from speechzoo.corpora import make_reader

SCRIPT = Path(__file__).parents[1] / "examples" / "prepare_corpora.sh"
CORPORA = ("LibriSpeech", "LibriSpeech_more", "librispeech_speakers", "speechocean762", "wake_words", "speech_commands",
           "arabic_speech_commands", "esc10", "kitchen20", "noise", "fsdd", "emodb", "coffee_dev", "text/hwu64")
# Writes down what it is called with, and makes what the command would have made.
PYTHON = """#!/bin/sh
printf '%s\\t' "$@" >> "$COMMANDS"; echo >> "$COMMANDS"
case "$1" in *fragments.py) touch "$3";; esac
while [ $# -gt 1 ]; do if [ "$1" = --out ] && [ -n "${2##*.jsonl}" ]; then mkdir -p "$2"; touch "$2/manifest.jsonl"; fi; shift; done
"""


def test_commands_are_right_and_run_once(tmp_path):
    for name in CORPORA:
        (tmp_path / "sources" / name).mkdir(parents=True)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def run():
        log = tmp_path / "commands"
        log.write_text("")
        environment = {**os.environ, "PYTHON": str(python), "COMMANDS": str(log), "WORKERS": "3"}
        result = subprocess.run([SCRIPT, tmp_path / "sources", tmp_path / "out"], env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return [line.split("\t")[:-1] for line in log.read_text().splitlines()]

    commands = run()
    ours = [command[2:] for command in commands if command[:2] == ["-m", "speechzoo"]]
    for name, *arguments in ours:
        module = importlib.import_module(COMMANDS[name])
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        values = parser.parse_args(arguments)  # ends the test where the command line has no such option
        assert values.workers == 3
        if name == "prepare":
            make_reader(values.corpus, **dict(values.option), **({"label": values.label} if values.label else {}))
    prepared = {Path(command[command.index("--out") + 1]).name for command in ours if command[0] == "prepare"}
    assert len(prepared) == 13 + 8
    assert {"librispeech_more", "coffee_orders", "speechocean762_words", "librispeech_speakers_pieces"} <= prepared
    assert [Path(command[1]).name for command in ours if command[0] == "synthesize"] == ["smart_speaker", "hwu64", "fragments.txt"]
    assert sum(command[0] == "align" for command in ours) == 9
    assert run() == []


def test_where_and_whereto_are_asked_for(tmp_path):
    result = subprocess.run([SCRIPT, tmp_path], capture_output=True, text=True)
    assert result.returncode == 2 and "SOURCES OUT" in result.stderr
