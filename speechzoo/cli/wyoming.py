"""`speechzoo wyoming`: wake word, speech-to-text and intents for Home Assistant."""

import sys

from speechzoo.cli.decoder_options import (add_decoder_arguments, add_grammar_arguments, read_decoder_options,
                                           split_names)

HELP = "Serve an exported model to Home Assistant over the Wyoming protocol: wake word, speech-to-text, intents."


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="FILE", help="exported .tflite file")
    parser.add_argument("--uri", default="tcp://0.0.0.0:10400", metavar="URI",
                        help="where to listen: tcp://HOST:PORT or unix:///PATH (%(default)s)")
    parser.add_argument("--wake-word", type=split_names, metavar="A,B",
                        help="keywords of the model that are offered as wake words (all that wake well)")
    parser.add_argument("--threshold", type=float, metavar="P",
                        help="mean posterior of a wake word that wakes (those measured for the model's words)")
    parser.add_argument("--language", default="en", metavar="CODE", help="of model and grammar (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="of the model (%(default)d)")
    add_grammar_arguments(parser.add_argument_group("spoken commands", "transcripts and intents from a grammar"))
    dialogue = parser.add_argument_group("dialogue", "conversations of several turns in place of a grammar")
    dialogue.add_argument("--dialogue", metavar="FILE", help="the dialogue, a YAML file")
    dialogue.add_argument("--state", metavar="FILE",
                          help="keep its conversations in this JSON file, and go on with them")
    add_decoder_arguments(parser)


def run(arguments):
    """Serves until SIGTERM or Ctrl-C; a line on standard error for every client that sends what can't be used."""
    import asyncio
    import logging

    from speechzoo.decoding.commands.decoder import CommandDecoder
    from speechzoo.edge.edge_model import EdgeModel

    try:
        from speechzoo.wyoming.server import serve
        from speechzoo.wyoming.voice import Voice
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] != "wyoming":
            raise
        raise ImportError("the server needs the package wyoming: pip install wyoming") from None
    logging.basicConfig(format="speechzoo: %(message)s")
    if arguments.dialogue and arguments.grammar:
        raise ValueError("--dialogue brings its grammar: leave --grammar out")
    if arguments.state and not arguments.dialogue:
        raise ValueError("--state keeps conversations of a dialogue: add --dialogue FILE")
    conversing = _conversing(arguments) if arguments.dialogue else None
    decoding = read_decoder_options(arguments)
    model = EdgeModel(arguments.model, threads=arguments.threads)
    commands = decoding.commands(model.spec)
    if conversing is not None:
        commands = CommandDecoder(conversing.machine.openings.everything(), model.spec, arguments.lexicon,
                                  arguments.command_threshold)
    voice = Voice(model, commands, decoding.transcripts(model.spec), arguments.wake_word, arguments.threshold,
                  arguments.language, conversing)
    print(f"speechzoo: {arguments.model} on {arguments.uri}", file=sys.stderr, flush=True)
    asyncio.run(serve(voice, arguments.uri))


def _conversing(arguments):
    # A device without PyYAML has no dialogues, and needs none.
    from speechzoo.dialogue.conversation import load_conversations
    from speechzoo.dialogue.machine import Machine
    from speechzoo.dialogue.reading import load_dialogue
    from speechzoo.wyoming.conversing import Conversing

    dialogue = load_dialogue(arguments.dialogue)
    people = load_conversations(arguments.state, dialogue) if arguments.state else None
    return Conversing(Machine(dialogue, people), arguments.state)
