"""A recogniser that has learnt how somebody speaks: what they gain, and what others lose.

    speechzoo export mtl_conformer_small --format tflite --quantize dynamic --signatures adapt --out exported
    python -m benchmarks.quality.owner exported/mtl_conformer_small_dynamic.tflite \\
        prepared/librispeech/manifest.jsonl:dev \\
        prepared/speechocean762/manifest.jsonl:dev

Each speaker is the owner in turn: the file learns from 5, 10 and 20 of their sentences, drawn at random, with their transcripts as
texts, and is then tested on the rest, and on sentences of the next speaker. Printed are the phones wrong (greedy; phones of the manifest)
and the letters wrong of `transcript`, before and afterwards: of each owner, and on average over owners. The speakers should be none that
the model was trained on.
"""

import argparse

import numpy as np

from benchmarks.quality.parts import read_part
from speechzoo.decoding.ctc.greedy import greedy_decode
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.edge.owner import Owner
from speechzoo.metrics.error_rate import edit_counts, error_rate
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

SENTENCES = (5, 10, 20)
TESTED = 40  # sentences of an owner at most, and
OTHERS = 15  # of somebody else
LEFT = 8  # that an owner has for the test at least
MAXIMUM_SECONDS = 16.0
UNITS = {"phones": "word", "transcript": "character"}  # of `edit_counts`: phones are separated by spaces


def counts(model, utterances: list) -> dict:
    """Head -> the counts of `edit_counts` of (utterance, audio) pairs, (utterances, 2)."""
    spec, heard = model.spec["heads"], model.batch_outputs([audio for _, audio in utterances])
    return {head: edit_counts([item[head] for item, _ in utterances],
                              [greedy_decode(outputs[head], spec[head]).text for outputs in heard], unit)
            for head, unit in UNITS.items()}


def measure(owner: Owner, people: dict, before: dict, name: str, other: str, sentences: int, seed: int) -> np.ndarray:
    """Error rates (own or others', head, before or afterwards) of one draw; `before` has the counts of all sentences."""
    order = np.random.default_rng(seed).permutation(len(people[name]))
    owner.forget()
    owner.adapt([(item["transcript"], audio) for item, audio in (people[name][number] for number in order[:sentences])])
    rates = []
    for who, numbers in ((name, order[sentences:][:TESTED]), (other, range(len(people[other]))[:OTHERS])):
        after = counts(owner.model, [people[who][number] for number in numbers])
        rates.append([[error_rate(when.sum(axis=0)) for when in (before[who][head][numbers], after[head])] for head in UNITS])
    return np.array(rates)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a .tflite file with the signature adapt")
    parser.add_argument("manifests", nargs="+", metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    add_figures_option(parser, "owner")
    arguments = parser.parse_args()
    model = EdgeModel(arguments.model)
    owner, rows = Owner(model), []
    for part in map(read_part, arguments.manifests):
        people = {}
        for item in part.utterances:
            if item.get("phones") and item.get("transcript") and item["duration"] <= MAXIMUM_SECONDS:
                people.setdefault(item["speaker"], []).append((item, part.audio(item, model.spec["sample_rate"])))
        names = sorted(people)
        owner.forget()
        before = {name: counts(model, sentences) for name, sentences in people.items()}
        for sentences in SENTENCES:
            able = [name for name in names if len(people[name]) >= sentences + LEFT]
            rates = []
            for name in able:
                other = names[(names.index(name) + 1) % len(names)]
                draws = [measure(owner, people, before, name, other, sentences, arguments.seed + draw)
                         for draw in range(arguments.draws)]
                rates.append(np.mean(draws, axis=0))
                print(f"{part.name}, {sentences} sentences of {name}: phones wrong {rates[-1][0, 0, 0]:.1%} before, "
                      f"{rates[-1][0, 0, 1]:.1%} afterwards", flush=True)
            if able:
                rows.append(row_of(part.name, sentences, np.array(rates)))
    print("\n".join(plain("owner", rows)))
    write_figures(arguments.figures, rows)


def row_of(corpus: str, sentences: int, rates: np.ndarray) -> dict:
    """Means of `measure` over owners; `rates` is (owners, own or others', head, before or afterwards)."""
    means = {f"{who}_{unit}_{when}": rates[:, whose, head, time].mean()
             for whose, who in enumerate(("own", "others")) for head, unit in enumerate(("phones", "letters"))
             for time, when in enumerate(("before", "after"))}
    return {"corpus": corpus, "sentences": sentences, "speakers": len(rates), **means,
            "fewer_phones_wrong": int(np.sum(rates[:, 0, 0, 1] < rates[:, 0, 0, 0]))}


if __name__ == "__main__":
    main()
