"""`speechzoo enhance`: recordings -> the same without noise."""

import sys
from pathlib import Path

from speechzoo.cli.output import one_line

HELP = "Take noise out of recordings, and what the loudspeaker played."
LIST = "audio"


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="MODEL",
                        help="model with a head of type enhancement: folder of a training run, zoo model, or .tflite "
                             "file; or none, to cancel echo only")
    parser.add_argument("audio", nargs="*", metavar="AUDIO",
                        help="recordings (WAV, FLAC, OGG, MP3, ...) and folders of them")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR",
                        help="folder for the enhanced recordings, FLAC files at the model's sample rate")
    parser.add_argument("--limit", type=float, metavar="DB",
                        help="lower noise by this many dB at most; recognisers often do best with 10 to 20")
    parser.add_argument("--playback", metavar="AUDIO",
                        help="what a loudspeaker played meanwhile, from the same moment on: its echo is cancelled "
                             "first")


def run(arguments):
    """Writes a file per recording; one that can't be used costs one line, and exit code 2 at the end."""
    from speechzoo.audio import SAMPLE_RATE, AudioError, encode_flac, load_audio
    from speechzoo.enhancement import EchoCanceller, Enhancer
    from speechzoo.files import write_atomically
    from speechzoo.opening import open_model
    from speechzoo.transcripts.sources import find_recordings, paths_below

    if arguments.model == "none" and not arguments.playback:
        raise ValueError("nothing to do: name a model, or what was played (--playback AUDIO)")
    if not arguments.audio:
        raise ValueError("nothing to enhance; name recordings or folders")
    recordings = find_recordings(arguments.audio)
    enhancer = None if arguments.model == "none" else Enhancer(open_model(arguments.model), arguments.limit)
    rate = SAMPLE_RATE if enhancer is None else enhancer.sample_rate
    played = load_audio(arguments.playback, rate) if arguments.playback else None
    failed = False
    for recording, path in paths_below(recordings, arguments.out, ".flac").items():
        try:
            audio = load_audio(recording, rate)
        except (AudioError, OSError) as error:
            print(f"speechzoo: error: {one_line(str(error))}", file=sys.stderr)
            failed = True
            continue
        if played is not None:
            audio = EchoCanceller(rate).cancel(audio, played)
        if enhancer is not None:
            audio = enhancer.enhance(audio)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, encode_flac(audio, rate))
        print(path)
    return 2 if failed else 0
