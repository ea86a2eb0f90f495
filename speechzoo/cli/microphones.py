"""`speechzoo microphones`: what `--device` may name."""

from speechzoo.microphone import devices

HELP = "List the microphones."


def add_arguments(parser):
    """The command has none."""


def run(arguments):
    """Prints a line for each: number, name, channels."""
    for number, name, channels in devices():
        print(f"{number:>3}  {name} ({channels} channel{'s' * (channels > 1)})")
