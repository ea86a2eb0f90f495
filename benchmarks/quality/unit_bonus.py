"""How much longer sentences of a grammar must be favoured for as many words to be put in as are left out.

    python -m benchmarks.quality.unit_bonus mtl_conformer_small prepared/librispeech/manifest.jsonl:dev \\
        prepared/speechocean762/manifest.jsonl:dev --noise doing_the_dishes.wav

makes a grammar of every transcribed sentence: a quarter of its words may be missing, a quarter may have another word before
them, and for a quarter another word may stand. Each is decoded with the sentence's own recording, clean and in noise, with
several bonuses for every unit of a path; counted are words put in, left out and confused. `:dev` behind a manifest takes one
split of it. The package's own bonus is `speechzoo.decoding.commands.compiled_grammar.UNIT_BONUS`.
"""

import argparse
import dataclasses
import random
from collections import Counter
from pathlib import Path

import jiwer
import numpy as np

from benchmarks.quality.parts import evenly, read_part
from speechzoo.audio import load_audio
from speechzoo.data.mixing import mix_at_snr
from speechzoo.decoding.commands.compile import compile_grammar
from speechzoo.decoding.commands.compiled_grammar import UNIT_BONUS
from speechzoo.decoding.commands.decode import grammar_decode
from speechzoo.grammar.nodes import Choice, Grammar, Sequence, Words
from speechzoo.opening import open_model
from speechzoo.text.lexicon import load_lexicon
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

BONUSES = (0.0, 0.3, 0.6, 0.9, 1.2, 1.5, 2.0)
RATIOS = (None, 24.0, 18.0, 12.0, 6.0)  # None: without noise
LONGEST = 8.0  # seconds


def random_grammar(words: list[str], others: list[str], random: random.Random) -> Grammar:
    """A grammar that has the sentence among others like it."""
    parts = []
    for word in words:
        other, kind = random.choice(others), random.randrange(4)
        if kind == 0:
            parts.append(Choice((Words(word), Sequence(()))))
        elif kind == 1:
            parts += [Choice((Words(other), Sequence(()))), Words(word)]
        else:
            parts.append(Choice((Words(word), Words(other))) if kind == 2 else Words(word))
    return Grammar("random", {"said": Sequence(tuple(parts))})


def sentences(manifest: str, lexicon: dict, maximum: int) -> list[tuple[list[str], np.ndarray]]:
    """(words, audio) of at most so many utterances of a manifest, evenly over those whose words the lexicon has."""
    part = read_part(manifest)
    found = [utterance for utterance in part.utterances
             if utterance["duration"] <= LONGEST and len(utterance.get("transcript", "").split()) >= 4
             and lexicon.keys() >= set(utterance["transcript"].lower().split())]
    return [(utterance["transcript"].lower().split(), part.audio(utterance, 16000))
            for utterance in evenly(found, maximum)]


def count_errors(model, lexicon: dict, spoken: list, noise: np.ndarray) -> dict[float | None, dict[float, Counter]]:
    """Ratio -> bonus -> words put in, left out and confused over all sentences."""
    generator, spec = random.Random(1), model.spec["heads"]["phones"]
    others = sorted({word for words, _ in spoken for word in words})
    counts = {ratio: {bonus: Counter() for bonus in BONUSES} for ratio in RATIOS}
    for words, audio in spoken:
        compiled = compile_grammar(random_grammar(words, others, generator), spec, lexicon)
        for ratio in RATIOS:
            heard = audio if ratio is None else mix_at_snr(audio, noise, ratio)
            logits = model.batch_outputs([heard])[0]["phones"]
            for bonus in BONUSES:
                weights = compiled.arc_weight + np.float32(bonus - UNIT_BONUS)
                parse = grammar_decode(logits, dataclasses.replace(compiled, arc_weight=weights))
                errors = jiwer.process_words(" ".join(words), " ".join(word.text for word in parse.words) or "-")
                counts[ratio][bonus].update({"put_in": errors.insertions, "left_out": errors.deletions,
                                             "confused": errors.substitutions})
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("manifests", nargs="+", metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--noise", type=Path, required=True)
    parser.add_argument("--maximum", type=int, default=150, help="sentences of each manifest, %(default)s")
    add_figures_option(parser, "unit_bonus")
    arguments = parser.parse_args()
    model = open_model(arguments.model)
    lexicon, noise = load_lexicon("cmudict"), load_audio(arguments.noise, 16000)
    rows = []
    for manifest in arguments.manifests:
        spoken = sentences(manifest, lexicon, arguments.maximum)
        counts = count_errors(model, lexicon, spoken, noise)
        rows += [{"manifest": manifest, "sentences": len(spoken), "bonus": bonus, "snr": ratio,
                  **{kind: counts[ratio][bonus][kind] for kind in ("put_in", "left_out", "confused")}}
                 for bonus in BONUSES for ratio in RATIOS]
    print("\n".join(plain("unit_bonus", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
