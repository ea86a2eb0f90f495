"""`speechzoo ngram`: text -> a language model for beam search."""

from pathlib import Path

HELP = "Estimate an n-gram language model from text, for --lm."
LIST = "text"


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("text", nargs="+", metavar="TEXT", help="text files, a sentence a line, or manifests (.jsonl)")
    parser.add_argument("--order", type=int, default=3, metavar="N", help="words in the longest n-gram (%(default)s)")
    parser.add_argument("--language", default="en", metavar="CODE", help="ISO 639-1 code of the text (%(default)s)")
    parser.add_argument("--out", required=True, metavar="FILE", help="ARPA file to write; .gz compresses it")


def run(arguments):
    """Estimates the model, writes it and prints its size."""
    from speechzoo.files import write_atomically
    from speechzoo.text.ngram import build_ngram
    from speechzoo.text.normalize import normalize_transcript

    lines = [line for path in arguments.text for line in _read_lines(path)]
    sentences = [normalize_transcript(line, arguments.language) for line in lines]
    model = build_ngram(sentences, arguments.order)
    write_atomically(arguments.out, model.to_bytes(compressed=arguments.out.endswith(".gz")))
    sizes = [sum(1 for words in model.entries if len(words) == n) for n in range(1, model.order + 1)]
    print(f"{arguments.out}: {len(model.words)} words from {sum(map(bool, sentences))} sentences; n-grams by length: "
          + ", ".join(map(str, sizes)))


def _read_lines(path) -> list[str]:
    if Path(path).suffix == ".jsonl":
        from speechzoo.data.manifest import read_manifest

        return [utterance["transcript"] for utterance in read_manifest(path) if "transcript" in utterance]
    from speechzoo.text.reading import read_words_file

    return read_words_file(path).splitlines()
