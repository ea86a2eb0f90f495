"""New words from a few recordings: how many are missed, and how often other speech is taken for them.

    speechzoo export mtl_conformer_small --format tflite --signatures learn --out exported
    python -m benchmarks.quality.few_shot exported/mtl_conformer_small.tflite \\
        --words prepared/arabic_speech_commands/manifest.jsonl:val prepared/fsdd/manifest.jsonl \\
        prepared/speech_commands/manifest.jsonl:validation --other prepared/librispeech/manifest.jsonl:dev

Again and again 5 words are drawn from a corpus and learnt from 1, 5 and 10 recordings of a speaker, the owner (of several where one
hasn't so many). Others of the owners' recordings, those of all other speakers, and the words that were not learnt are heard as
`speechzoo listen` hears: alone in near silence, in windows, two of which must agree on average. Words that the model's keyword head
knows are left out, and of `--other`, for each word, what says it. Printed are, at the default threshold and at that of at most one
false alarm of a word in two hours: words of owners and of others that are heard, as what they are; other words of the corpus that are
taken for one of the five; and false alarms per hour and word. "prototype" is the mean of the recordings alone, "trained" what the
signature `learn` makes of it.
"""

import argparse

import numpy as np

from benchmarks.quality.parts import Part, read_part
from benchmarks.quality.wake_word import REFRACTORY_SECONDS, count_alarms, smoothed
from speechzoo.decoding.streams.windows import HOP_SECONDS, WINDOW_SECONDS
from speechzoo.edge.custom_words import STEPS, WORD_THRESHOLD, CustomWords
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.signatures.custom_words import LOGIT_SCALE
from speechzoo.listening.listener import SMOOTHED
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

WORDS = 5
TESTED = 4  # recordings of a word by one speaker that are kept for testing
SILENCE_SECONDS = 0.6
ALLOWED = 0.5  # false alarms per hour
HOMOPHONES = {"one": ["won"], "two": ["to", "too"], "four": ["for", "fore"], "eight": ["ate"]}


def window_embeddings(model, audio: np.ndarray) -> np.ndarray:
    """(windows, size): the embedding of each window of a stream."""
    rate = model.spec["sample_rate"]
    window, hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
    return np.concatenate([model.run("embed_word", audio=audio[None, end - window:end])["embedding"]
                           for end in range(window, len(audio) + 1, hop)])


def smoothed_scores(embeddings: np.ndarray, weights: dict) -> np.ndarray:
    """(windows, words) of a stream, averaged as `speechzoo listen` averages them."""
    return smoothed(1 / (1 + np.exp(-LOGIT_SCALE * (embeddings @ weights["kernel"].T + weights["bias"]))), SMOOTHED)


def read_corpus(model, part: Part, known: set, generator) -> tuple[dict, dict, set]:
    """{(word, speaker): recordings to learn from}, {(word, speaker): embeddings of streams to test with}, and the (word,
    speaker) with so few recordings that these are the same."""
    rate, found = model.spec["sample_rate"], {}
    for utterance in part.utterances:
        word = utterance.get("keyword", "_")
        if not word.startswith("_") and word not in known:
            found.setdefault((word, utterance["speaker"]), []).append(utterance)
    # Words of a handful of recordings say nothing.
    words = {word for word, _ in found if sum(len(items) for key, items in found.items() if key[0] == word) >= 20}
    learn, test, scarce = {}, {}, set()
    for key, utterances in found.items():
        if key[0] not in words:
            continue
        order = generator.permutation(len(utterances))
        audio = [part.audio(utterances[index], rate) for index in order[:TESTED + 10]]
        silence = generator.standard_normal(round(SILENCE_SECONDS * rate)).astype(np.float32) * 1e-4
        learn[key] = audio[TESTED:]
        if not learn[key]:
            learn[key] = audio
            scarce.add(key)
        test[key] = [window_embeddings(model, np.concatenate([silence, item, silence])) for item in audio[:TESTED]]
    return learn, test, scarce


def draw(learn: dict, shots: int, generator) -> tuple[dict, set]:
    """{word: recordings to learn it from}, of as few speakers as have so many, and {(word, speaker)} that they are from."""
    words, speakers = (sorted({key[part] for key in learn}) for part in (0, 1))
    words = generator.choice(words, min(WORDS, len(words)), replace=False)
    speakers = generator.permutation(speakers)
    pools = {str(word): [(who, audio) for who in speakers for audio in learn.get((word, who), ())][:shots] for word in words}
    used = {(word, who) for word, pool in pools.items() for who, _ in pool}
    return {word: [audio for _, audio in pool] for word, pool in pools.items()}, used


def measure(model, learn, test, scarce, other: list[tuple[set, np.ndarray]], shots: int, steps: int, draws: int, seed: int) -> dict:
    """Best scores (words,) of what was tested, with the right column, and (scores, hours) of other speech for every word."""
    results = {"own": [], "others": [], "wrong": [], "alarms": []}
    for number in range(draws):
        examples, used = draw(learn, shots, np.random.default_rng([seed, number]))
        owners = {who for _, who in used}
        learnt, words = CustomWords(model, steps=steps), list(examples)
        for word in words:
            learnt.add(word, examples[word])
        weights = {name: value[:len(words)] for name, value in learnt.weights.items()}
        for (word, who), streams in test.items():
            if (word, who) in used and (word, who) in scarce:
                continue  # these very recordings were learnt from
            kind = "wrong" if word not in words else "own" if who in owners else "others"
            right = words.index(word) if word in words else -1
            results[kind] += [(smoothed_scores(stream, weights).max(axis=0), right) for stream in streams]
        scored = [(said, smoothed_scores(stream, weights)) for said, stream in other]
        # One recording after the other, apart by more than a device sleeps after an alarm; without those that say the word.
        asleep = np.zeros(round(REFRACTORY_SECONDS / HOP_SECONDS))
        for column, word in enumerate(words):
            parts = [scores[:, column] for said, scores in scored if not said & {word, *HOMOPHONES.get(word, ())}]
            hours = sum(map(len, parts)) * HOP_SECONDS / 3600
            results["alarms"].append((np.concatenate([piece for part in parts for piece in (part, asleep)]), hours))
    return results


def alarm_rate(alarms: list, threshold: float) -> float:
    """False alarms per hour and word."""
    return float(np.mean([count_alarms(scores, threshold, HOP_SECONDS) / hours for scores, hours in alarms]))


def figures_at(results: dict, threshold: float) -> dict:
    """Shares of words, and false alarms, at a threshold; None where nothing was tested."""
    def share(kind, right_only):
        hits = [scores.max() >= threshold and (not right_only or scores.argmax() == right)
                for scores, right in results[kind]]
        return np.mean(hits) if hits else None

    return {"threshold": threshold, "owner": share("own", True), "others": share("others", True),
            "wrong": share("wrong", False), "alarms_per_hour": alarm_rate(results["alarms"], threshold)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help=".tflite file with the signature learn")
    parser.add_argument("--words", nargs="+", required=True, metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--other", required=True, metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 5, 10])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    add_figures_option(parser, "few_shot")
    arguments = parser.parse_args()
    model = EdgeModel(arguments.model)
    known = set(model.spec["heads"].get("keyword", {}).get("classes", ()))
    others = read_part(arguments.other)
    other = [(set(utterance.get("transcript", "").split()),
              window_embeddings(model, others.audio(utterance, model.spec["sample_rate"])))
             for utterance in others.utterances if utterance["duration"] > 2]
    hours = sum(len(windows) for _, windows in other) * HOP_SECONDS / 3600
    print(f"{hours:.2f} hours of other speech, {arguments.draws} draws, seed {arguments.seed}")
    rows = []
    for part in map(read_part, arguments.words):
        learn, test, scarce = read_corpus(model, part, known, np.random.default_rng(arguments.seed))
        print(f"{part.name}: {len({word for word, _ in test})} words, {len({who for _, who in test})} speakers")
        for shots in arguments.shots:
            for layer, steps in (("prototype", 0), ("trained", STEPS)):
                results = measure(model, learn, test, scarce, other, shots, steps, arguments.draws, arguments.seed)
                quiet = next((line for line in np.linspace(0.05, 0.99, 48) if
                              alarm_rate(results["alarms"], line) <= ALLOWED), 0.99)
                at = {name: figures_at(results, line) for name, line in (("default", WORD_THRESHOLD), ("quiet", quiet))}
                rows.append({"corpus": part.name, "recordings": shots, "layer": layer,
                             **{f"{figure}_{name}": at[name][figure] for figure in at["default"] for name in at}})
    print("\n".join(plain("few_shot", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
