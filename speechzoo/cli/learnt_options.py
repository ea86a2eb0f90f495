"""Options of the commands that learn somebody's voice or a word, and of those that make use of it."""

from pathlib import Path

from speechzoo.cli.decoder_options import positive
from speechzoo.cli.microphone import record


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
        recorded = [record(arguments.seconds, rate) for _ in range(arguments.microphone or 0)]
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


def adapt_to_owner(arguments, model):
    """Makes the model hear as it was adapted, if the options name a file of that."""
    if arguments.owner:
        open_owner(model).load(arguments.owner)


def load_voices(arguments, model):
    """The voices that the options name, or None."""
    if not arguments.voices:
        return None
    from speechzoo.edge.voices import Voices

    return _loaded(Voices(model), arguments.voices)


def load_words(arguments, model):
    """The words that the options name, or None."""
    if not arguments.keywords:
        return None
    return _loaded(open_words(model), arguments.keywords)


def _loaded(learnt, path):
    learnt.load(path)
    return learnt


def open_owner(model):
    """What a model that adapts has learnt of its owner.

    Raises:
        ValueError: It is no exported file, or one that can't adapt.
    """
    from speechzoo.edge import signatures
    from speechzoo.edge.owner import Owner

    return Owner(_exported(model, "adapt to their owners", signatures.OWNER_ADAPT))


def open_words(model):
    """The words of a model that learns.

    Raises:
        ValueError: It is no exported file, or one that can't learn.
    """
    from speechzoo.edge import signatures
    from speechzoo.edge.custom_words import CustomWords

    return CustomWords(_exported(model, "learn words", signatures.WORDS_LEARN))


def _exported(model, able, signature):
    from speechzoo.edge.edge_model import EdgeModel

    if not isinstance(model, EdgeModel):
        raise ValueError(f"exported files {able}: speechzoo export MODEL --format tflite --signatures {signature} "
                         "--out DIR")
    return model
