"""Options of the decoder, and types of options, shared by the commands."""

import argparse
import math


def add_decoder_arguments(parser):
    """Adds the options of the transcript's decoder to a command's parser."""
    group = parser.add_argument_group("decoding of transcripts", "greedy unless one of these is given")
    group.add_argument("--dictation", action="store_true",
                       help="known words by how they sound, from a head for phones: CMUdict's, or --lexicon's, and the "
                            "language model of PocketSphinx, or --lm's")
    group.add_argument("--beam", type=int, metavar="N",
                       help="beam search that keeps N texts (16 with --lm, --words or --boost)")
    group.add_argument("--spoken-language", metavar="CODE",
                       help="language that is spoken, such as de, where a decoder knows several (detected if absent)")
    group.add_argument("--task", choices=("transcribe", "translate"),
                       help="what such a decoder writes: the words, or their English")
    group.add_argument("--lm", metavar="FILE",
                       help="n-gram language model: ARPA or ARPA.gz, 'speechzoo ngram' makes one; or pocketsphinx")
    group.add_argument("--lm-weight", type=float, metavar="W", help="its weight (0.5; 1 with --dictation)")
    group.add_argument("--word-bonus", type=float, metavar="B",
                       help="added for every word, nats (1 with --lm, else 0; 0 with --dictation)")
    group.add_argument("--words", metavar="FILE", help="only words of this text file")
    group.add_argument("--lm-words", action="store_true", help="only words that the language model knows")
    group.add_argument("--boost", action="append", metavar="PHRASE",
                       help="a phrase to favour in the transcript, such as a name (others call it a hotword); may be "
                            "repeated. It turns close calls, and can put the phrase where it wasn't said")


def read_decoder_options(arguments):
    """The options of the decoders as `DecoderSettings`: files are read, before a model is waited for.

    Raises:
        ImportError: A package is missing that the options need.
        ValueError, OSError: An option or a file can't be used.
    """
    from speechzoo.decoding.settings import DecoderSettings
    from speechzoo.text.language_model import load_language_model
    from speechzoo.text.lexicon import load_lexicon
    from speechzoo.text.reading import read_words

    _check_decoder(arguments)
    lm = arguments.lm or ("pocketsphinx" if arguments.dictation else None)
    language_model = load_language_model(lm) if lm else None
    return DecoderSettings(
        grammar=arguments.grammar, lexicon=arguments.lexicon, threshold=arguments.command_threshold,
        dictation=load_lexicon(arguments.lexicon or "cmudict") if arguments.dictation else None,
        language_model=language_model,
        words=read_words(arguments.words) if arguments.words else language_model.words if arguments.lm_words else None,
        boost=arguments.boost or (), beam_width=arguments.beam, lm_weight=arguments.lm_weight,
        word_bonus=arguments.word_bonus, language=arguments.spoken_language, task=arguments.task)


def _check_decoder(arguments):
    """Refuses options of which one is of no use with or without another."""
    if arguments.dictation and (arguments.beam is not None or arguments.words or arguments.lm_words or arguments.boost):
        raise ValueError("--beam, --words, --lm-words and --boost are for beam search; leave them out with --dictation")
    if arguments.lm_words and not arguments.lm:
        raise ValueError("--lm-words needs a language model: add --lm FILE")
    if arguments.lm_words and arguments.lm == "pocketsphinx":
        raise ValueError("--lm-words needs a language model that lists its words: give --lm an ARPA file")
    if arguments.lm_words and arguments.words:
        raise ValueError("--words and --lm-words exclude each other")
    _check_lexicon(arguments, arguments.dictation)


def _check_lexicon(arguments, dictation=False):
    commands = arguments.grammar or getattr(arguments, "dialogue", None)
    if arguments.lexicon and not (commands or dictation):
        raise ValueError("--lexicon says how words sound: add --grammar FILE or --dictation")
    if arguments.command_threshold is not None and not commands:
        raise ValueError("--command-threshold is for commands: add --grammar FILE")


def add_grammar_arguments(group):
    """Adds the options of spoken commands to a group of a command's parser."""
    group.add_argument("--grammar", metavar="FILE",
                       help="the commands: grammar of the zoo (smart_speaker), YAML file, or compiled .npz file")
    group.add_argument("--lexicon", metavar="FILE",
                       help="how its words sound: cmudict, or a lexicon's path (CMUdict if installed, and guesses)")
    group.add_argument("--command-threshold", type=float, metavar="S",
                       help="least score of a command, nats per unit, below 0 (-2.5): nearer to 0 for fewer false ones")


def split_numbers(text: str) -> list[float]:
    """`6,9` as a list of numbers, for argparse."""
    try:
        return [float(name) for name in split_names(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers separated by commas, got '{text}'") from None


def split_names(text: str) -> list[str]:
    """`a,b` as a list of names, for argparse."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("expected names separated by commas")
    return names


def positive(text: str) -> float:
    """A number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got '{text}'")
    return value
