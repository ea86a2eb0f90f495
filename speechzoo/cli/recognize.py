"""`speechzoo recognize`: recordings -> what every head says."""

import json
import sys

from speechzoo.cli.decoder_options import (add_decoder_arguments, add_grammar_arguments, positive,
                                           read_decoder_options, split_names)
from speechzoo.cli.learnt_options import add_learnt_arguments
from speechzoo.cli.microphone_options import add_device_argument
from speechzoo.cli.output import one_line

HELP = "Say what is heard in recordings: transcript, words, speaker and whatever else the model answers."
LIST = "audio"


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="MODEL", help="zoo model, folder of a training run, or .tflite file")
    parser.add_argument("audio", nargs="*", metavar="AUDIO", help="recordings: WAV, FLAC, OGG, MP3, ...")
    parser.add_argument("--heads", type=split_names, metavar="A,B", help="only these heads")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with times of the words")
    parser.add_argument("--microphone", action="store_true", help="record from the microphone and recognise that")
    add_device_argument(parser)
    parser.add_argument("--seconds", type=positive, default=4.0, metavar="S", help="how long to record (%(default)g)")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="where to begin in each recording")
    parser.add_argument("--duration", type=positive, metavar="S", help="how much of each to hear; to its end if absent")
    parser.add_argument("--maximum-seconds", type=positive, default=120.0, metavar="S",
                        help="refuse more than this at once (%(default)g); memory grows with its square")
    add_grammar_arguments(parser.add_argument_group("spoken commands", "intent and slots from a grammar"))
    add_learnt_arguments(parser.add_argument_group("what the device has learnt"))
    add_decoder_arguments(parser)


def run(arguments):
    """Recognises recording after recording; one that can't be used costs one line, and exit code 2 at the end."""
    from speechzoo.audio import load_audio
    from speechzoo.decoding.recognition import select_heads
    from speechzoo.edge.learnt import Learnt
    from speechzoo.microphone import record
    from speechzoo.opening import open_model

    if not arguments.audio and not arguments.microphone:
        raise ValueError("nothing to recognise; name recordings, or add --microphone")
    decoding = read_decoder_options(arguments)
    model = open_model(arguments.model)
    learnt = Learnt.open(model, arguments.voices, arguments.keywords, arguments.owner)
    decoder, commands = decoding.transcripts(model.spec), decoding.commands(model.spec)
    select_heads(model.spec, arguments.heads)  # an unknown one is refused before anything is recorded
    rate = model.spec["sample_rate"]
    sources = [(path, path) for path in arguments.audio]
    if arguments.microphone:
        print(f"recording {arguments.seconds:g} s ...", file=sys.stderr, flush=True)
        sources.append(("microphone", (record(arguments.seconds, rate, arguments.device), rate)))
    failed = False
    for name, source in sources:
        try:
            audio = load_audio(source, rate, arguments.start, arguments.duration, arguments.maximum_seconds)
            result = model.recognize(audio, heads=arguments.heads, grammar=commands, decoder=decoder,
                                     maximum_seconds=None)
            learnt.complete(result, audio)
        except (ValueError, OSError) as error:  # AudioError, and disks that fail while they are read
            print(f"speechzoo: error: {one_line(str(error))}", file=sys.stderr)
            failed = True
            continue
        if arguments.json:
            print(json.dumps({"audio": name, **result.to_dict()}, ensure_ascii=False), flush=True)
        else:
            print(f"{name} ({len(audio) / rate:.1f} s)")
            print("".join(f"  {line}\n" for line in str(result).splitlines()), flush=True)
    return 2 if failed else 0
