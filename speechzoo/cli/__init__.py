"""The command line: `speechzoo COMMAND ...`, the same as `python -m speechzoo COMMAND ...`."""

import argparse
import importlib
import sys

from speechzoo import __version__

# Sub-command -> module, in the order of `--help`. A module has HELP (one line), `add_arguments(parser)` and
# `run(arguments)`, which returns the exit code or None. What is slow to import is imported inside `run`.
COMMANDS = {
    "prepare": "speechzoo.cli.prepare",
    "train": "speechzoo.cli.train",
    "evaluate": "speechzoo.cli.evaluate",
    "recognize": "speechzoo.cli.recognize",
    "export": "speechzoo.cli.export",
    "benchmark": "speechzoo.cli.benchmark",
    "show": "speechzoo.cli.show",
    "ngram": "speechzoo.cli.ngram",
}


def main(argv: list[str] | None = None):
    """Runs one command and exits: 0, 2 after one line on standard error, 130 after Ctrl-C.

    Args:
        argv: Arguments without the program's name; those of the process when absent.
    """
    parser = argparse.ArgumentParser(prog="speechzoo",
                                     description="Multi-task speech models for smart-speaker hardware.")
    parser.add_argument("--version", action="version", version=f"speechzoo {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module_name in COMMANDS.items():
        module = importlib.import_module(module_name)
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args(argv)
    try:
        code = arguments.run(arguments) or 0
        sys.stdout.flush()
    except (ValueError, OSError, ImportError) as error:  # ImportError: an extra that is not installed
        code = _report(error)
    except KeyboardInterrupt:
        print("speechzoo: interrupted", file=sys.stderr)
        code = 130
    sys.exit(code)


def _report(error: Exception) -> int:
    if isinstance(error, BrokenPipeError):  # the reader of our output, such as `head`, has had enough
        sys.stderr.close()
        return 0
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror.lower()
    print(f"speechzoo: error: {' '.join(text.split())}", file=sys.stderr)
    return 2
