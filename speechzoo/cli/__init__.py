"""The command line: `speechzoo COMMAND ...`, the same as `python -m speechzoo COMMAND ...`."""

import argparse
import importlib
import os
import sys

from speechzoo import __version__
from speechzoo.cli.output import escape_what_can_not_be_printed, one_line

# Sub-command -> module, in the order of `--help`. A module has HELP (one line), `add_arguments(parser)` and
# `run(arguments)`, which returns the exit code or None. What is slow to import is imported inside `run`. LIST, where
# there is one, names the positional argument that takes any number of values, which may stand after options too.
COMMANDS = {
    "import": "speechzoo.cli.import_",
    "prepare": "speechzoo.cli.prepare",
    "synthesize": "speechzoo.cli.synthesize",
    "align": "speechzoo.cli.align",
    "pretrain": "speechzoo.cli.pretrain",
    "train": "speechzoo.cli.train",
    "transfer": "speechzoo.cli.transfer",
    "meta": "speechzoo.cli.meta",
    "adapt-domain": "speechzoo.cli.adapt_domain",
    "pseudo-label": "speechzoo.cli.pseudo_label",
    "evaluate": "speechzoo.cli.evaluate",
    "recognize": "speechzoo.cli.recognize",
    "enhance": "speechzoo.cli.enhance",
    "export": "speechzoo.cli.export",
    "publish": "speechzoo.cli.publish",
    "benchmark": "speechzoo.cli.benchmark",
    "relate": "speechzoo.cli.relate",
    "show": "speechzoo.cli.show",
    "ngram": "speechzoo.cli.ngram",
    "grammar": "speechzoo.cli.grammar",
    "listen": "speechzoo.cli.listen",
    "assistant": "speechzoo.cli.assistant",
    "enroll": "speechzoo.cli.enroll",
    "learn": "speechzoo.cli.learn",
    "adapt": "speechzoo.cli.adapt",
    "microphones": "speechzoo.cli.microphones",
    "wyoming": "speechzoo.cli.wyoming",
    "serve": "speechzoo.cli.serve",
}


def main(argv: list[str] | None = None):
    """Runs one command and exits: 0, 2 after one line on standard error, 130 after Ctrl-C.

    Args:
        argv: Arguments without the program's name; those of the process when absent.
    """
    escape_what_can_not_be_printed()
    parser = _Parser(prog="speechzoo", description="Multi-task speech models for smart-speaker hardware.")
    parser.add_argument("--version", action="version", version=f"speechzoo {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module_name in COMMANDS.items():
        module = importlib.import_module(module_name)
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run, list=getattr(module, "LIST", None))
    arguments = _parse(parser, commands, argv)
    try:
        code = arguments.run(arguments) or 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("speechzoo: interrupted", file=sys.stderr)
        code = 130
    except Exception as error:
        if not isinstance(error, _expected()):
            raise  # a fault of ours
        code = _report(error)
    sys.exit(code)


# Marks what stands behind --; no argument of a process holds this character.
_LITERAL = "\0"


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {one_line(message.replace(_LITERAL, ''))}; see {self.prog} --help\n")


def _parse(parser, commands, argv):
    argv = list(sys.argv[1:] if argv is None else argv)
    # Behind --, argparse leaves over what begins with a dash where a list of positionals has been filled before.
    behind = argv.index("--") + 1 if "--" in argv else len(argv)
    argv[behind:] = [_LITERAL + item for item in argv[behind:]]
    arguments, rest = parser.parse_known_args(argv)
    rest = [item for item in rest if item != "--"]
    # argparse fills a list of positionals only once: what stands after a later option is left over.
    if arguments.list and not any(item.startswith("-") for item in rest):
        setattr(arguments, arguments.list, [*getattr(arguments, arguments.list), *rest])
    elif rest:
        unknown = [item for item in rest if item.startswith("-")] if arguments.list else rest
        commands.choices[arguments.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    for name, value in vars(arguments).items():
        if isinstance(value, str):
            setattr(arguments, name, value.removeprefix(_LITERAL))
        elif isinstance(value, list):
            setattr(arguments, name, [item.removeprefix(_LITERAL) if isinstance(item, str) else item for item in value])
    return arguments


def _expected() -> tuple[type[Exception], ...]:
    """What bad input, a full disk or a missing extra (ImportError) ends in."""
    tensorflow = sys.modules.get("tensorflow")
    # TensorFlow's own errors, such as its writers' on a full disk, descend from none of Python's.
    return (ValueError, OSError, ImportError, MemoryError, *([tensorflow.errors.OpError] if tensorflow else []))


def _report(error: Exception) -> int:
    if isinstance(error, BrokenPipeError):  # the reader of our output, such as `head`, has had enough
        sys.stderr.close()
        return 0
    text = str(getattr(error, "message", error)) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror.lower()
    if isinstance(error, FileExistsError) and error.filename:  # of making a folder
        text = f"{error.filename}: is a file; give a folder"
    if isinstance(error, ModuleNotFoundError) and error.name:  # of an installation for devices, say
        package = {"yaml": "PyYAML"}.get(error.name, error.name)
        text = f"this needs the package {package}, which is not installed: pip install {package}"
    print(f"speechzoo: error: {one_line(text)}", file=sys.stderr)
    return 2
