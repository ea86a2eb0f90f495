"""Voices enrolled from a few recordings: how many strangers are taken for somebody, and how many people are not known again.

    python -m benchmarks.quality.enrolment mtl_conformer_small prepared/librispeech/manifest.jsonl:dev \\
        prepared/speechocean762/manifest.jsonl:dev

Every speaker is enrolled again and again from 1, 3 and 5 recordings drawn at random and compared with the rest of their own, and with
all recordings of the others. The threshold of at most 1 % false accepts is chosen on every other speaker and measured on the rest, and
the other way round; the figures at the default threshold are of all. The speakers should be none that the model was trained on.
"""

import argparse

import numpy as np

from benchmarks.quality.parts import Part, read_part
from speechzoo.decoding.heads import find_head
from speechzoo.edge.voices import VOICE_THRESHOLD
from speechzoo.metrics.verification import equal_error_rate, error_rates
from speechzoo.opening import open_model
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

FALSE_ACCEPTS = 0.01


def embeddings(model, part: Part) -> dict[str, np.ndarray]:
    """Speaker -> (recordings, size)."""
    spec, found = model.spec, {}
    head = find_head(spec, type="speaker")
    # By length, so that there is little padding in a batch.
    utterances = sorted((item for item in part.utterances if "speaker" in item), key=lambda item: item["duration"])
    for first in range(0, len(utterances), 8):
        batch = utterances[first:first + 8]
        audio = [part.audio(item, spec["sample_rate"]) for item in batch]
        for item, outputs in zip(batch, model.batch_outputs(audio)):
            found.setdefault(item["speaker"], []).append(outputs[head])
    return {speaker: np.array(vectors) for speaker, vectors in sorted(found.items())}


def trials(voices: dict, enrolled: int, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of people against themselves and against others."""
    generator, own, strangers = np.random.default_rng(seed), [], []
    for _ in range(draws):
        for name, vectors in voices.items():
            order = generator.permutation(len(vectors))
            mean = vectors[order[:enrolled]].mean(axis=0)
            mean /= np.linalg.norm(mean)
            own.append(vectors[order[enrolled:]] @ mean)
            strangers += [others @ mean for other, others in voices.items() if other != name]
    return np.concatenate(own), np.concatenate(strangers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("manifests", nargs="+", metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    add_figures_option(parser, "enrolment")
    arguments = parser.parse_args()
    model = open_model(arguments.model)
    sets = {part.name: embeddings(model, part) for part in map(read_part, arguments.manifests)}
    if len(sets) > 1:
        sets["together"] = {name: vectors for voices in sets.values() for name, vectors in voices.items()}
    rows = []
    for title, voices in sets.items():
        names = list(voices)
        halves = [{name: voices[name] for name in names[part::2]} for part in (0, 1)]
        for enrolled in (1, 3, 5):
            own, strangers = trials(voices, enrolled, arguments.draws, arguments.seed)
            accepted, refused, thresholds = [], [], []
            for chosen_on, measured_on in (halves, halves[::-1]):
                line = np.quantile(trials(chosen_on, enrolled, arguments.draws, arguments.seed)[1], 1 - FALSE_ACCEPTS)
                known, unknown = trials(measured_on, enrolled, arguments.draws, arguments.seed)
                accepted.append(np.mean(unknown >= line))
                refused.append(np.mean(known < line))
                thresholds.append(line)
            rows.append({"corpus": title, "speakers": len(voices), "enrolled": enrolled,
                         "eer": equal_error_rate(*error_rates(own, strangers)),
                         "accepted": np.mean(strangers >= VOICE_THRESHOLD), "refused": np.mean(own < VOICE_THRESHOLD),
                         "chosen_accepted": np.mean(accepted), "chosen_refused": np.mean(refused),
                         "first_threshold": thresholds[0], "second_threshold": thresholds[1]})
    print("\n".join(plain("enrolment", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
