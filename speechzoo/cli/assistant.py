"""`speechzoo assistant`: a dialogue by microphone, recording or text."""

import json
import re
import sys
import time

from speechzoo import microphone
from speechzoo.cli.microphone_options import add_device_argument

HELP = "Talk with an assistant whose dialogue is a YAML file: by microphone, with a recording, or in writing."

_BLOCK_SECONDS = 0.25
_PERSON = re.compile(r"(\w+)>\s*(.*)")


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("dialogue", metavar="DIALOGUE", help="the dialogue, a YAML file")
    parser.add_argument("source", nargs="?", metavar="FILE", help="a recording of any length to listen to")
    parser.add_argument("--microphone", action="store_true", help="listen to the microphone until Ctrl-C, and speak")
    add_device_argument(parser)
    parser.add_argument("--text", action="store_true",
                        help="read standard input, a sentence on each line; 'anna> ...' is said by anna, and an empty "
                             "line is a silence until the question is asked again")
    parser.add_argument("--state", metavar="FILE", help="keep conversations in this JSON file, and go on with them")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    hearing = parser.add_argument_group("hearing")
    hearing.add_argument("--model", default="mtl_whisper_tiny", metavar="MODEL",
                         help="zoo model, folder of a training run, or .tflite file (%(default)s)")
    hearing.add_argument("--lexicon", metavar="FILE", help="how words sound: cmudict, or a lexicon's path")
    hearing.add_argument("--command-threshold", type=float, metavar="S",
                         help="least score of a sentence, nats per unit, below 0 (-2.5)")
    hearing.add_argument("--voices", metavar="FILE",
                         help="tell people apart whom speechzoo enroll has enrolled: each has a dialogue of their own")
    hearing.add_argument("--wake-word", metavar="WORD", help="listen after this keyword, and for answers")
    hearing.add_argument("--threshold", type=float, metavar="P", help="mean posterior of the wake word that wakes")
    hearing.add_argument("--barge-in", action="store_true",
                         help="let the wake word interrupt what is said; without it, nothing is heard meanwhile")
    speaking = parser.add_argument_group("speaking")
    speaking.add_argument("--say", metavar="VOICE",
                          help="espeak-ng, flite, flite:rms, piper:VOICE.onnx, or tcp://HOST:PORT of a Wyoming service "
                               "(with --microphone, the first engine that is installed)")
    speaking.add_argument("--quiet", action="store_true", help="write replies, and don't speak")


def run(arguments):
    """Writes what was understood, what is said and what is to be done; returns when the input has ended."""
    from speechzoo.dialogue.conversation import load_conversations, save_conversations
    from speechzoo.dialogue.machine import Machine
    from speechzoo.dialogue.reading import load_dialogue

    if (arguments.source is not None) + arguments.microphone + arguments.text != 1:
        raise ValueError("what shall the assistant listen to? Name one recording, or give --microphone or --text")
    if arguments.quiet and arguments.say:
        raise ValueError("--say speaks and --quiet doesn't; give one of them")
    if arguments.barge_in and not arguments.wake_word:
        raise ValueError("--barge-in takes a wake word, or the assistant would interrupt itself: add --wake-word WORD")
    dialogue = load_dialogue(arguments.dialogue)
    machine = Machine(dialogue, load_conversations(arguments.state, dialogue) if arguments.state else None)
    speech, loudspeaker = _speaker(arguments, dialogue)
    exchanges = (_read(machine, speech, loudspeaker) if arguments.text
                 else _listen(arguments, machine, speech, loudspeaker))
    try:
        for exchange in exchanges:
            if exchange.reply.kind != "ignored":
                _write(exchange, arguments.json)
                if arguments.state:
                    save_conversations(arguments.state, dialogue, machine.people)
    except KeyboardInterrupt:
        if not arguments.microphone:
            raise


def _speaker(arguments, dialogue):
    """What speaks, and what plays it: neither where replies are only written."""
    from speechzoo.dialogue.loudspeaker import Loudspeaker
    from speechzoo.dialogue.speech import find_speech

    if arguments.quiet or not (arguments.say or arguments.microphone):
        return None, None
    if arguments.say and arguments.say.startswith(("tcp://", "unix://")):
        try:
            from speechzoo.wyoming.synthesis import WyomingSpeech
        except ModuleNotFoundError as error:
            if error.name.partition(".")[0] != "wyoming":
                raise
            raise ImportError("a Wyoming service needs the package wyoming: pip install wyoming") from None
        return WyomingSpeech(arguments.say, dialogue.grammar.language), Loudspeaker()
    try:
        return find_speech(arguments.say, dialogue.grammar.language), Loudspeaker()
    except (ValueError, ImportError, OSError) as error:
        if arguments.say:
            raise
        print(f"speechzoo: {error}", file=sys.stderr, flush=True)
        return None, None


def _listen(arguments, machine, speech, loudspeaker):
    """Exchanges of a recording or of the microphone. A recording isn't answered aloud: nobody in it would hear it."""
    from speechzoo.audio import stream_audio
    from speechzoo.dialogue.assistant import Assistant, listener_of
    from speechzoo.dialogue.commands import OpenCommands
    from speechzoo.edge.learnt import Learnt
    from speechzoo.opening import open_model

    model = open_model(arguments.model)
    voices = Learnt.open(model, voices=arguments.voices).voices
    commands = OpenCommands(machine, model.spec, arguments.lexicon, arguments.command_threshold, voices)
    rate = model.spec["sample_rate"]
    assistant = Assistant(machine, commands, listener_of(model, arguments.threshold), arguments.wake_word,
                          barge_in=arguments.barge_in, speech=speech if arguments.microphone else None,
                          loudspeaker=loudspeaker, sample_rate=rate, start=time.time())
    blocks = (microphone.blocks(_BLOCK_SECONDS, rate, arguments.device) if arguments.microphone
              else stream_audio(arguments.source, rate, _BLOCK_SECONDS))
    for samples in blocks:
        yield from assistant.feed(samples)
    yield from assistant.finish()


def _read(machine, speech, loudspeaker):
    """Exchanges of lines on standard input. Time passes as it does, and an empty line lets more of it pass."""
    from speechzoo.dialogue.assistant import Exchange
    from speechzoo.dialogue.machine import SOMEBODY
    from speechzoo.dialogue.text import TextDialogue

    assistant, passed, begin = TextDialogue(machine), 0.0, time.time()
    for line in sys.stdin:
        line, now = line.strip(), time.time() + passed
        if line:
            match = _PERSON.fullmatch(line)
            person, text = (match[1], match[2]) if match else (SOMEBODY, line)
            reply = assistant.answer(text, now, person)
            understood = reply.kind != "sorry" and reply.kind != "gave_up"
            exchanges = [Exchange(now - begin, person, text if understood else None, 1.0 if understood else 0.0, reply)]
        else:
            passed += machine.dialogue.timeout
            exchanges = [Exchange(now - begin, person, None, None, reply) for person, reply in
                         machine.tick(now + machine.dialogue.timeout)]
        for exchange in exchanges:
            if speech is not None and exchange.reply.say:
                loudspeaker.play(*speech(exchange.reply.say))
            yield exchange


def _write(exchange, as_json):
    if as_json:
        print(json.dumps(exchange.to_dict(), ensure_ascii=False), flush=True)
        return
    from speechzoo.dialogue.machine import SOMEBODY

    reply = exchange.reply
    who = "" if exchange.person == SOMEBODY else f"{exchange.person}: "
    if exchange.confidence is None:
        print(f"{exchange.time:7.2f} s  {who}(silence)")
    else:
        sure = f"  ({exchange.confidence:.0%})" if exchange.sentence is not None else ""
        print(f"{exchange.time:7.2f} s  {who}{exchange.sentence or '(not understood)'}{sure}")
    if reply.action is not None:
        slots = "".join(f" {name}={value}" for name, value in reply.action.slots.items())
        instead = "  (instead of the last)" if reply.action.corrects else ""
        print(f"           do: {reply.action.name}{slots}{instead}")
    if reply.say is not None:
        print(f"           > {reply.say}", flush=True)
