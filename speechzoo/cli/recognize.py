"""`speechzoo recognize`: recordings -> what every head says."""

import argparse
import functools
import json
import sys
from pathlib import Path

from speechzoo.cli.decoder_options import (add_decoder_arguments, add_grammar_arguments, positive,
                                           read_decoder_options, split_names)
from speechzoo.cli.learnt_options import add_learnt_arguments
from speechzoo.cli.microphone_options import add_device_argument
from speechzoo.cli.output import one_line

HELP = "Say what is heard in recordings: transcript, words, speaker and whatever else the model answers."
LIST = "audio"

_opened: list["_Ears"] = []  # at most one
_FORMATS = ("text", "json", "srt", "vtt", "csv")  # of `speechzoo.transcripts.formats`, which takes time to import


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="MODEL", help="zoo model, folder of a training run, or .tflite file")
    parser.add_argument("audio", nargs="*", metavar="AUDIO",
                        help="recordings (WAV, FLAC, OGG, MP3, ...) of any length, folders of them, or - for one on "
                             "standard input")
    parser.add_argument("--files", metavar="LIST",
                        help="file with the path of a recording or folder per line; - for standard input")
    parser.add_argument("--heads", type=split_names, metavar="A,B", help="only these heads")
    parser.add_argument("--format", choices=_FORMATS, default="text",
                        help="text for people, JSON lines, SubRip or WebVTT subtitles, or a table of sentences "
                             "(%(default)s)")
    parser.add_argument("--json", action="store_const", dest="format", const="json", help="short for --format json")
    parser.add_argument("--microphone", action="store_true", help="record from the microphone and recognise that")
    add_device_argument(parser)
    parser.add_argument("--seconds", type=positive, default=4.0, metavar="S", help="how long to record (%(default)g)")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="where to begin in each recording")
    parser.add_argument("--duration", type=positive, metavar="S", help="how much of each to hear; to its end if absent")
    parser.add_argument("--maximum-seconds", type=positive, default=120.0, metavar="S",
                        help="cut longer recordings into pieces at pauses (%(default)g); memory grows with the square "
                             "of this")
    parser.add_argument("--speakers", action="store_true",
                        help="who speaks when: voices are told apart and numbered, those of --voices named")
    adapting = parser.add_argument_group("recordings unlike those of the training", "zoo models and runs only")
    adapting.add_argument("--test-time-adaptation", action="store_true",
                          help="before each recording, train the model to be surer of it, and then forget it")
    adapting.add_argument("--adaptation-rate", type=positive, metavar="R", help="learning rate of these steps (2e-5)")
    many = parser.add_argument_group("many recordings")
    many.add_argument("--out", type=Path, metavar="DIR",
                      help="write a file per recording; those that are there already aren't recognised again")
    many.add_argument("--workers", type=_workers, default=1, metavar="N",
                      help="processes, with a model each (%(default)s)")
    add_grammar_arguments(parser.add_argument_group("spoken commands", "intent and slots from a grammar"))
    add_learnt_arguments(parser.add_argument_group("what the device has learnt"))
    add_decoder_arguments(parser)


def _workers(text):
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number of processes, got '{text}'")
    return int(text)


def run(arguments):
    """Recognises recording after recording; one that can't be used costs one line, and exit code 2 at the end."""
    from speechzoo.transcripts.formats import csv_header
    from speechzoo.transcripts.sources import find_recordings, output_paths

    if not (arguments.audio or arguments.files or arguments.microphone):
        raise ValueError("nothing to recognise; name recordings, or add --files LIST or --microphone")
    if arguments.workers > 1 and not arguments.out:
        raise ValueError("--workers is for many recordings: add --out DIR")
    if arguments.out and (arguments.microphone or "-" in arguments.audio):
        raise ValueError("--out writes a file per recording in a file; the microphone and standard input have none")
    sources = find_recordings(arguments.audio, arguments.files)
    if arguments.out:
        return _write_files(arguments, output_paths(sources, arguments.out, arguments.format))
    ears = _Ears(arguments)
    if arguments.microphone:
        sources.append(ears.record())
    if arguments.format == "csv":
        sys.stdout.write(csv_header(arguments.speakers))
    failed = False
    for source in sources:
        try:
            print(ears.hear(source), end="", flush=True)
        except (ValueError, OSError) as error:  # AudioError, and disks that fail while they are read
            print(f"speechzoo: error: {one_line(str(error))}", file=sys.stderr)
            failed = True
    return 2 if failed else 0


def _write_files(arguments, paths):
    """Writes what isn't there yet, and `failed.jsonl` with a line per recording that could not be used."""
    from speechzoo.data.workers import Workers
    from speechzoo.files import write_atomically

    waiting = [(source, path) for source, path in paths.items() if not path.exists()]
    failed = []
    with Workers(min(arguments.workers, max(len(waiting), 1))) as pool:
        for done, error in enumerate(pool.map(functools.partial(_write_file, arguments), waiting), 1):
            if error:
                failed.append({"audio": waiting[done - 1][0], "error": error})
                print(f"speechzoo: error: {one_line(error)}", file=sys.stderr)
            if sys.stderr.isatty() or done % 100 == 0 or done == len(waiting):
                print(f"{done} of {len(waiting)} recordings, {len(failed)} failed", file=sys.stderr, flush=True)
    there = len(paths) - len(waiting)
    print(f"{arguments.out}: {len(waiting) - len(failed)} written, {there} were there already, {len(failed)} failed")
    report = arguments.out / "failed.jsonl"
    report.unlink(missing_ok=True)
    if failed:
        write_atomically(report, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in failed).encode())
    return 2 if failed else 0


def _write_file(arguments, task):
    """Recognises one recording in a worker; the error, if there is one."""
    from speechzoo.files import write_atomically
    from speechzoo.transcripts.formats import csv_header

    source, path = task
    try:
        ears = _ears_of(arguments)
        text = (csv_header(arguments.speakers) if arguments.format == "csv" else "") + ears.hear(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except (ValueError, OSError) as error:
        return str(error)
    return None


def _ears_of(arguments):
    """The ears of this process, which are opened for its first recording."""
    if not _opened or vars(_opened[-1].arguments) != vars(arguments):
        _opened[:] = [_Ears(arguments)]
    return _opened[-1]


class _Ears:
    """The model and everything that it hears with, opened once per process."""

    def __init__(self, arguments):
        from speechzoo.decoding.recognition import select_heads
        from speechzoo.edge.learnt import Learnt
        from speechzoo.opening import open_model

        self.arguments = arguments
        decoding = read_decoder_options(arguments)
        self.model = open_model(arguments.model)
        if arguments.test_time_adaptation:
            from speechzoo.adaptation import AdaptingRecognizer

            rate = {"learning_rate": arguments.adaptation_rate} if arguments.adaptation_rate else {}
            self.model = AdaptingRecognizer(self.model, **rate)
        elif arguments.adaptation_rate:
            raise ValueError("--adaptation-rate is for --test-time-adaptation; add it")
        self.learnt = Learnt.open(self.model, arguments.voices, arguments.keywords, arguments.owner)
        spec = self.model.spec
        select_heads(spec, arguments.heads)  # an unknown one is refused before anything is recorded
        self.decoder, self.commands = decoding.transcripts(spec, arguments.heads), decoding.commands(spec)
        self.rate = spec["sample_rate"]

    def record(self) -> tuple:
        """What the microphone hears, as an (array, sample rate) pair."""
        from speechzoo.microphone import record

        print(f"recording {self.arguments.seconds:g} s ...", file=sys.stderr, flush=True)
        return record(self.arguments.seconds, self.rate, self.arguments.device), self.rate

    def hear(self, source) -> str:
        """The recording's answers in the format that was asked for.

        Args:
            source: Path, "-" for a recording on standard input, or an (array, sample rate) pair of the microphone.
        """
        from speechzoo.audio import audio_info, load_audio
        from speechzoo.decoding.speakers.find_turns import find_turns
        from speechzoo.transcripts.formats import FORMATS

        arguments, name = self.arguments, source if isinstance(source, str) else "microphone"
        if source == "-":
            name, source = "standard input", sys.stdin.buffer.read()
        seconds = audio_info(source).duration - arguments.start
        seconds = seconds if arguments.duration is None else min(seconds, arguments.duration)
        options = {"heads": arguments.heads, "grammar": self.commands, "decoder": self.decoder}
        samples, rate = source if isinstance(source, tuple) else (source, None)
        if seconds <= arguments.maximum_seconds:
            audio = load_audio(source, self.rate, arguments.start, arguments.duration)
            result = self.model.recognize(audio, **options, maximum_seconds=None)
            self.learnt.complete(result, audio)
        else:
            result = self.model.recognize(samples, rate, **options, start=arguments.start, duration=arguments.duration,
                                          maximum_seconds=arguments.maximum_seconds)
            self.learnt.complete(result)
        if arguments.speakers:
            voices = self.learnt.voices
            result.turns = find_turns(self.model, samples, rate, start=arguments.start, duration=arguments.duration,
                                      name_of=voices and voices.name_of)
        shown = f"{name} ({seconds:.1f} s)" if arguments.format == "text" else name
        return FORMATS[arguments.format](shown, result)
