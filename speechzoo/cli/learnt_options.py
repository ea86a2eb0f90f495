"""Options of the commands that learn somebody's voice or a word, and of those that make use of it."""

import sys
from pathlib import Path

from speechzoo.cli.decoder_options import positive
from speechzoo.microphone import record


def add_learning_arguments(parser, what: str):
    """Adds what `enroll` and `learn` share to their parsers: the recordings, and forgetting."""
    parser.add_argument("audio", nargs="*", metavar="AUDIO", help="1 to 10 recordings")
    parser.add_argument("--microphone", type=int, metavar="N", help="record so many from the microphone")
    parser.add_argument("--seconds", type=positive, default=3.0, metavar="S", help="how long each (%(default)g)")
    parser.add_argument("--forget", action="store_true", help=f"forget the {what}")


def update(arguments, learnt, add, name: str, path: str):
    """Takes up the file at `path` if there is one, learns or forgets `name`, and writes the file."""
    if Path(path).exists():
        learnt.load(path)
    if arguments.forget:
        if arguments.audio or arguments.microphone:
            raise ValueError("--forget takes no recordings")
        learnt.forget(name)
    else:
        rate = learnt.sample_rate
        recorded = []
        for _ in range(arguments.microphone or 0):
            print(f"recording {arguments.seconds:g} s ...", file=sys.stderr, flush=True)
            recorded.append(record(arguments.seconds, rate))
        add(name, [*arguments.audio, *recorded])
    learnt.save(path)
    print(f"{path}: {', '.join(learnt.names) or 'empty'}")


def add_learnt_arguments(group):
    """Adds the options of what has been learnt to a group of a command's parser."""
    group.add_argument("--voices", metavar="FILE", help="say who speaks, of those that speechzoo enroll has enrolled")
    group.add_argument("--keywords", metavar="FILE",
                       help="hear the words that speechzoo learn has learnt, too (.tflite files that learn)")
    group.add_argument("--owner", metavar="FILE",
                       help="hear as speechzoo adapt has adapted to somebody (.tflite files that adapt)")
