"""New words from a few recordings: how many are missed, and how often other speech is taken for them.

    speechzoo export mtl_conformer_small --format tflite --signatures learn --out exported
    python benchmarks/few_shot.py exported/mtl_conformer_small.tflite --words prepared/arabic_speech_commands/manifest.jsonl:val \\
        prepared/fsdd/manifest.jsonl prepared/speech_commands/manifest.jsonl:validation --other prepared/librispeech/manifest.jsonl:dev

Again and again 5 words are drawn from a corpus and learnt from 1, 5 and 10 recordings of one speaker, the owner (of as many speakers
where a corpus has no speaker with so many). Others of the owner's recordings, those of all other speakers, and the words that were not
learnt are heard as `speechzoo listen` hears: alone in near silence, in windows, two of which must agree on average. Words that the
model's keyword head knows are left out. Printed are, at the default threshold and at that of at most one false alarm of a word in two
hours of `--other`: words of the owner and of others that are heard, as what they are; other words that are taken for one of the five;
and false alarms per hour and word. "prototype" is the mean of the recordings alone, "trained" what the signature `learn` makes of it.
"""

import argparse
from pathlib import Path

import numpy as np

from speechzoo.data.manifest import read_manifest
from speechzoo.data.reading import read_utterance_audio
from speechzoo.edge.custom_words import STEPS, WORD_THRESHOLD, CustomWords
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.learning import SCALE
from speechzoo.listening.listener import HOP_SECONDS, WINDOW_SECONDS

WORDS = 5
TESTED = 4  # recordings of a word by one speaker that are kept for testing
SILENCE_SECONDS = 0.6
REFRACTORY_SECONDS = 2.0
ALLOWED = 0.5  # false alarms per hour


def window_embeddings(model, audio: np.ndarray) -> np.ndarray:
    """(windows, size): the embedding of each window of a stream."""
    rate = model.spec["sample_rate"]
    window, hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
    return np.concatenate([model.run("embed_word", audio=audio[None, end - window:end])["embedding"]
                           for end in range(window, len(audio) + 1, hop)])


def smoothed_scores(embeddings: np.ndarray, weights: dict) -> np.ndarray:
    """(windows, words) of a stream, averaged over two windows."""
    scores = 1 / (1 + np.exp(-SCALE * (embeddings @ weights["kernel"].T + weights["bias"])))
    return (scores + np.concatenate([np.zeros_like(scores[:1]), scores[:-1]])) / 2


def count_alarms(scores: np.ndarray, threshold: float) -> int:
    """How often the score of a word (windows,) wakes the device."""
    alarms, asleep = 0, 0
    for number in np.flatnonzero(scores >= threshold):
        if number >= asleep:
            alarms, asleep = alarms + 1, number + round(REFRACTORY_SECONDS / HOP_SECONDS)
    return alarms


def read_corpus(model, source: str, known: set, generator) -> tuple[dict, dict]:
    """{(word, speaker): recordings to learn from}, and {(word, speaker): embeddings of streams to test with}."""
    path, _, split = source.partition(":")
    rate, found = model.spec["sample_rate"], {}
    for utterance in read_manifest(path):
        word = utterance.get("keyword", "_")
        if split in ("", utterance.get("split")) and not word.startswith("_") and word not in known:
            found.setdefault((word, utterance["speaker"]), []).append(utterance)
    learn, test = {}, {}
    for key, utterances in found.items():
        order = generator.permutation(len(utterances))
        audio = [read_utterance_audio(utterances[index], Path(path).parent, rate) for index in order[:TESTED + 10]]
        silence = generator.standard_normal(round(SILENCE_SECONDS * rate)).astype(np.float32) * 1e-4
        learn[key] = audio[TESTED:] or audio  # of somebody with few recordings: either, but never both
        test[key] = [window_embeddings(model, np.concatenate([silence, item, silence])) for item in audio[:TESTED]]
    # Words of a handful of recordings say nothing.
    words = {word for word, _ in found if sum(len(items) for key, items in found.items() if key[0] == word) >= 20}
    return tuple({key: value for key, value in part.items() if key[0] in words} for part in (learn, test))


def draw(learn: dict, shots: int, generator) -> tuple[list[str], dict, set]:
    """Words, {word: recordings to learn it from}, and the speakers of those."""
    names = sorted({word for word, _ in learn})
    words = list(generator.choice(names, min(WORDS, len(names)), replace=False))
    able = sorted({who for _, who in learn if all(len(learn.get((word, who), ())) >= shots and
                                                  len(learn[word, who]) > 1 or shots == 1 and len(learn.get((word, who), ())) > 1
                                                  for word in words)})
    if able:
        owner = generator.choice(able)
        return words, {word: learn[word, owner][:shots] for word in words}, {owner}
    examples, used = {}, set()
    for word in words:
        speakers = sorted(who for name, who in learn if name == word)
        chosen = [speakers[index] for index in generator.permutation(len(speakers))[:shots]]
        examples[word] = [learn[word, who][0] for who in chosen]
        used |= set(chosen)
    return words, examples, used


def measure(model, learn, test, other: list[np.ndarray], shots: int, steps: int, draws: int, seed: int) -> dict:
    """Best scores (recordings, words) of what was tested, with the right column, and scores of the streams, of all draws."""
    results = {"own": [], "others": [], "wrong": [], "alarms": []}
    for number in range(draws):
        words, examples, owners = draw(learn, shots, np.random.default_rng([seed, number]))
        learnt = CustomWords(model, steps=steps)
        for word in words:
            learnt.add(word, examples[word])
        weights = {name: value[:len(words)] for name, value in learnt.weights.items()}
        for (word, who), streams in test.items():
            kind = "wrong" if word not in words else "own" if who in owners else "others"
            if kind == "own" and len(owners) > 1:
                continue  # they may be what was learnt from
            right = words.index(word) if word in words else -1
            results[kind] += [(smoothed_scores(stream, weights).max(axis=0), right) for stream in streams]
        # One recording of other speech after the other, apart by more than a device sleeps after an alarm.
        asleep = np.zeros((round(REFRACTORY_SECONDS / HOP_SECONDS), len(words)))
        results["alarms"].append(np.concatenate([part for stream in other for part in (smoothed_scores(stream, weights), asleep)]))
    return results


def alarm_rate(streams: list[np.ndarray], threshold: float, hours: float) -> float:
    """False alarms per hour and word, of all draws."""
    counts = [count_alarms(scores, threshold) for drawn in streams for scores in drawn.T]
    return float(np.mean(counts)) / hours


def row(results: dict, threshold: float, hours: float) -> str:
    def heard(kind):
        rows = results[kind]
        return f"{np.mean([s.max() >= threshold and s.argmax() == right for s, right in rows]):7.1%}" if rows else "      -"

    wrong = np.mean([scores.max() >= threshold for scores, _ in results["wrong"]]) if results["wrong"] else np.nan
    return f"{threshold:9.3f} {heard('own')} {heard('others')} {wrong:11.1%} {alarm_rate(results['alarms'], threshold, hours):8.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help=".tflite file with the signature learn")
    parser.add_argument("--words", nargs="+", required=True, metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--other", required=True, metavar="MANIFEST[:SPLIT]")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 5, 10])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    model = EdgeModel(arguments.model)
    known = set(model.spec["heads"].get("keyword", {}).get("classes", ()))
    path, _, split = arguments.other.partition(":")
    audio = [read_utterance_audio(utterance, Path(path).parent, model.spec["sample_rate"])
             for utterance in read_manifest(path) if split in ("", utterance.get("split"))]
    hours = sum(map(len, audio)) / model.spec["sample_rate"] / 3600
    other = [window_embeddings(model, item) for item in audio if len(item) >= WINDOW_SECONDS * model.spec["sample_rate"]]
    print(f"{hours:.2f} hours of other speech, {arguments.draws} draws, seed {arguments.seed}")
    print("corpus                   shots layer     threshold   owner  others other words alarms/h")
    for source in arguments.words:
        learn, test = read_corpus(model, source, known, np.random.default_rng(arguments.seed))
        name = Path(source.partition(":")[0]).parent.name
        print(f"{name}: {len({word for word, _ in test})} words, {len({who for _, who in test})} speakers")
        for shots in arguments.shots:
            for layer, steps in (("prototype", 0), ("trained", STEPS)):
                results = measure(model, learn, test, other, shots, steps, arguments.draws, arguments.seed)
                quiet = next((line for line in np.linspace(0.05, 0.99, 48) if
                              alarm_rate(results["alarms"], line, hours) <= ALLOWED), 0.99)
                for threshold in (WORD_THRESHOLD, quiet):
                    print(f"{name:24s} {shots:5d} {layer:9s} {row(results, threshold, hours)}", flush=True)


if __name__ == "__main__":
    main()
