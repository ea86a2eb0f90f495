"""Another language than English: is it detected, are its words written, are they translated?

    python -m benchmarks.quality.languages whisper_base_dynamic.tflite --recordings prepared/emodb/manifest.jsonl

Of `--recordings` only the language is known. The sentences below are spoken by espeak-ng: their words are compared with
what is written, and what is translated with their English, of which there are several that are right; so the share of
its words that the translation has is a lower bound.
"""

import argparse
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.quality.parts import Part, evenly, read_part
from speechzoo.decoding.attention.search import AttentionSearch
from speechzoo.metrics.error_rate import edit_counts, error_rate
from speechzoo.opening import open_model
from speechzoo.text.normalize import normalize_transcript
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

SENTENCES = {
    "Das schwarze Stück Papier liegt auf dem Tisch neben der Lampe.":
        "The black piece of paper is on the table next to the lamp.",
    "Morgen fahren wir mit dem Zug nach Berlin.": "Tomorrow we are going to Berlin by train.",
    "Kannst du bitte das Licht in der Küche ausschalten?": "Can you please turn off the light in the kitchen?",
    "Meine Schwester hat gestern ein neues Fahrrad gekauft.": "My sister bought a new bicycle yesterday.",
    "Wie spät ist es, und wie wird das Wetter heute?": "What time is it, and how will the weather be today?",
    "Ich möchte gerne einen Kaffee mit Milch und Zucker.": "I would like a coffee with milk and sugar.",
}
"""`SENTENCES` are German -> English."""


def spoken(text: str, path: Path) -> Path:
    """A sentence as espeak-ng says it, WAV."""
    subprocess.run(["espeak-ng", "-v", "de", "-s", "150", "-w", str(path), text], check=True)
    return path


def detected(model, part: Part, language: str, maximum: int) -> dict:
    """Row of the recordings of a part: how many are taken for the language, and for which others most often."""
    rate, codes = model.spec["sample_rate"], Counter()
    utterances = evenly(part.utterances, maximum)
    for utterance in utterances:
        codes[model.recognize(part.audio(utterance, rate), rate).labels.get("language", "none")] += 1
    others = [code for code, _ in codes.most_common() if code != language][:3]
    return {"recordings": part.name, "count": len(utterances), "language": language,
            "detected": codes[language] / len(utterances), "others": ", ".join(others) or None, "wer": None,
            "translated": None}


def read_sentences(model, language: str) -> dict:
    """Row of `SENTENCES`: language, words wrong, and words of the English that the translation has."""
    codes, texts, shares = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for german, english in SENTENCES.items():
            path = spoken(german, Path(scratch, "sentence.wav"))
            written = model.recognize(path)
            codes.append(written.labels.get("language"))
            texts.append(normalize_transcript(written.transcript, language))
            translated = model.recognize(path, decoder=AttentionSearch(language=language, task="translate")).transcript
            wanted, found = (Counter(normalize_transcript(text).split()) for text in (english, translated))
            shares.append(sum((wanted & found).values()) / sum(wanted.values()))
            print(f"{german}\n  {written.transcript}\n  {translated}")
    counts = edit_counts([normalize_transcript(text, language) for text in SENTENCES], texts)
    return {"recordings": "espeak-ng", "count": len(SENTENCES), "language": language,
            "detected": codes.count(language) / len(codes), "others": None, "wer": float(error_rate(counts.sum(0))),
            "translated": float(np.mean(shares))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--recordings", nargs="*", default=[], metavar="MANIFEST[:SPLIT]", help="German ones")
    parser.add_argument("--maximum", type=int, default=60, help="recordings of each manifest (%(default)s)")
    add_figures_option(parser, "languages")
    arguments = parser.parse_args()
    model = open_model(arguments.model)
    rows = [read_sentences(model, "de"), *(detected(model, read_part(source), "de", arguments.maximum)
                                           for source in arguments.recordings)]
    print("\n".join(plain("languages", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
