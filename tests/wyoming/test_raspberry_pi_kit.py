"""The files of `export/raspberry_pi`: what they name is there, and what they run is what the command takes."""

import argparse
import configparser
import importlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from speechzoo.cli import COMMANDS

KIT = Path(__file__).parents[2] / "export" / "raspberry_pi"


def parse(command):
    """Reads a command line as `speechzoo` does; argparse exits where it doesn't fit."""
    name, *rest = command
    parser = argparse.ArgumentParser()
    importlib.import_module(COMMANDS[name]).add_arguments(parser)
    return parser.parse_args(rest)


def test_the_unit_starts_the_command_and_the_script_installs_what_it_names():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(KIT / "speechzoo-wyoming.service")
    program, *command = shlex.split(unit["Service"]["ExecStart"])
    options = parse([*command[:-1], "--grammar", "/opt/speechzoo/grammar.npz", "--wake-word", "computer"])
    assert command[-1] == "$OPTIONS" and options.uri == "tcp://0.0.0.0:10400" and options.wake_word == ["computer"]
    script = (KIT / "install.sh").read_text()
    assert "opt/speechzoo/model.tflite" in script and options.model == "/opt/speechzoo/model.tflite"
    assert program == "/opt/speechzoo/venv/bin/speechzoo" and "opt/speechzoo/venv" in script
    assert unit["Service"]["EnvironmentFile"] == "-/etc/default/speechzoo-wyoming"


def test_commands_of_the_readme():
    blocks = re.findall(r"```sh\n(.*?)```", (KIT / "README.md").read_text(), re.DOTALL)
    lines = [line.partition("#")[0] for block in blocks for line in block.splitlines()]
    ours = [re.search(r"speechzoo (\w+ .*|microphones)", line) for line in lines if re.match(r"(python -m )?speechzoo ", line)]
    assert len(ours) >= 8
    for found in ours:
        parse(shlex.split(found[1]))


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_the_script_says_what_it_needs():
    assert subprocess.run(["sh", "-n", KIT / "install.sh"]).returncode == 0
    done = subprocess.run(["sh", KIT / "install.sh", "nowhere.tflite"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr == "usage: sudo sh install.sh MODEL.tflite [GRAMMAR.npz]\n"
