"""`speechzoo learn`: a new keyword, from a few recordings."""

from speechzoo.cli.learnt_options import add_learning_arguments, update

HELP = "Learn a new keyword from 5 recordings, so that recognize and listen hear it; or forget it."
LIST = "audio"


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="FILE", help=".tflite file exported with --signatures learn")
    parser.add_argument("word", metavar="WORD", help="the word's name")
    add_learning_arguments(parser, "word")
    parser.add_argument("--keywords", required=True, metavar="FILE", help="where the words are kept (.npz)")


def run(arguments):
    """Learns or forgets a word and prints which are learnt."""
    from speechzoo.edge.custom_words import CustomWords
    from speechzoo.opening import open_model

    words = CustomWords(open_model(arguments.model))
    update(arguments, words, words.add, arguments.word, arguments.keywords)
