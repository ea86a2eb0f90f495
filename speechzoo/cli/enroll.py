"""`speechzoo enroll`: somebody's voice, from a few recordings."""

from speechzoo.cli.learnt_options import add_learning_arguments, update

HELP = "Enroll somebody's voice from 3 to 5 recordings, so that recognize and listen say who speaks; or forget it."
LIST = "audio"


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="MODEL", help="zoo model, folder of a training run, or .tflite file")
    parser.add_argument("name", metavar="NAME", help="whose voice it is")
    add_learning_arguments(parser, "voice")
    parser.add_argument("--voices", required=True, metavar="FILE", help="where the voices are kept (.npz)")


def run(arguments):
    """Enrolls or forgets a voice and prints who is enrolled."""
    from speechzoo.edge.voices import Voices
    from speechzoo.opening import open_model

    voices = Voices(open_model(arguments.model))
    update(arguments, voices, voices.enroll, arguments.name, arguments.voices)
