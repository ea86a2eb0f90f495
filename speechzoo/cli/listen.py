"""`speechzoo listen`: continuous audio -> wake words and commands, as they are heard."""

import json
import sys

from speechzoo import microphone
from speechzoo.cli.decoder_options import (add_decoder_arguments, add_grammar_arguments, read_decoder_options,
                                           split_names)
from speechzoo.cli.learnt_options import add_learnt_arguments
from speechzoo.cli.microphone_options import add_device_argument

HELP = "Listen to a microphone, a long recording or a pipe, and write what is heard as soon as it is known."

_BLOCK_SECONDS = 0.25


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="MODEL", help="zoo model, folder of a training run, or .tflite file (fastest)")
    parser.add_argument("source", nargs="?", metavar="FILE",
                        help="recording of any length; - for raw 16-bit samples at the model's rate on standard input")
    parser.add_argument("--microphone", action="store_true", help="listen to the microphone until Ctrl-C")
    add_device_argument(parser)
    parser.add_argument("--wake-word", metavar="WORD", help="say nothing before this keyword is heard")
    parser.add_argument("--threshold", type=float, metavar="P",
                        help="mean posterior of the wake word that wakes (the one measured for the word; 0.8 for a "
                             "learnt one)")
    parser.add_argument("--partial", action="store_true",
                        help="also what is said so far, whenever it grows (models that stream)")
    parser.add_argument("--heads", type=split_names, metavar="A,B",
                        help="only the answers of these heads; all but embeddings of voices if absent")
    parser.add_argument("--json", action="store_true",
                        help="one JSON object a line, as where standard output is no terminal")
    add_grammar_arguments(parser.add_argument_group("spoken commands", "intent and slots from a grammar"))
    add_learnt_arguments(parser.add_argument_group("what the device has learnt"))
    add_decoder_arguments(parser)


def run(arguments):
    """Writes a line for everything that is heard, as soon as it is known."""
    from speechzoo.decoding.heads import find_head, find_heads
    from speechzoo.decoding.recognition import select_heads
    from speechzoo.edge.learnt import Learnt
    from speechzoo.listening.listener import Listener
    from speechzoo.listening.stream_listener import StreamListener
    from speechzoo.opening import open_model

    if bool(arguments.source) == arguments.microphone:
        raise ValueError("nothing to listen to; name a recording, - for standard input, or add --microphone")
    decoding = read_decoder_options(arguments)
    model = open_model(arguments.model)
    spec = model.spec
    shown = select_heads(spec, arguments.heads)["heads"]
    hidden = {spec["heads"][name]["label"] for name in spec["heads"].keys() - shown.keys()}
    if arguments.heads is None:
        hidden |= {spec["heads"][name]["label"] for name in find_heads(spec, type="speaker")}
    learnt = Learnt.open(model, arguments.voices, arguments.keywords, arguments.owner)
    # A model that streams finds utterances by what it reads; one that writes nothing can't. Learnt words need audio.
    writes = find_head(spec, type="ctc") is not None
    kind = StreamListener if "stream" in spec and writes and learnt.words is None else Listener
    listener = kind(model, decoding.commands(spec), arguments.wake_word, arguments.threshold,
                    partials=arguments.partial, learnt=learnt, decoder=decoding.transcripts(spec))
    for word, threshold in listener.thresholds.items():
        print(f"waiting for '{word}', at a mean posterior of {threshold:g}", file=sys.stderr, flush=True)
    write = _write_json if arguments.json or not sys.stdout.isatty() else _write_text
    for samples in _blocks(arguments.source, listener.rate, arguments.device):
        write(listener.feed(samples), hidden)
    write(listener.finish(), hidden)


def _write_json(events, hidden):
    for heard in events:
        print(json.dumps(_without(heard, hidden).to_dict(), ensure_ascii=False), flush=True)


def _write_text(events, hidden):
    for heard in events:
        heard = _without(heard, hidden)
        if heard.kind == "partial":
            print(f"{heard.start:8.2f} s  {heard.recognition.transcript} ...", flush=True)
        else:
            print(f"{heard.start:8.2f} s  {heard.kind.replace('_', ' ')}, to {heard.end:.2f} s")
            print("".join(f"            {line}\n" for line in str(heard.recognition).splitlines()), end="", flush=True)


def _without(heard, hidden):
    """The event without the answers that nobody asked for; what woke is always told."""
    if heard.kind in ("utterance", "partial"):
        for label in hidden:
            heard.recognition.hide(label)
    return heard


def _blocks(source, rate, device):
    """Blocks of a file, decoded as they are read, of standard input, or of the microphone (no source)."""
    from speechzoo.audio import stream_audio

    if source is None:
        return microphone.blocks(_BLOCK_SECONDS, rate, device)
    return _pipe(rate) if source == "-" else stream_audio(source, rate, _BLOCK_SECONDS)


def _pipe(rate):
    import numpy as np

    while data := sys.stdin.buffer.read(2 * round(_BLOCK_SECONDS * rate)):
        yield np.frombuffer(data[:len(data) // 2 * 2], "<i2").astype(np.float32) / 32768
