"""Finds words in sentences whose phones have times, so that they can be learnt as keywords.

    python examples/words_from_sentences.py prepared/librispeech/manifest.jsonl on off --out words/manifest.jsonl
    speechzoo prepare manifest --source words/manifest.jsonl --out prepared/words

Each utterance written is a piece (`start`, `duration`) of the original recording of a sentence, with the word as `keyword` and
`transcript`; speaker, gender, split and what else is known of the sentence's speaker stay. `prepare` reads the recordings once and packs the
pieces. Where the phones of an alignment don't spell the word, it isn't taken.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from speechzoo.data.manifest import audio_path, read_manifest, write_manifest
from speechzoo.data.word_times import find_words
from speechzoo.text.lexicon import load_lexicon

KEPT = ("corpus", "subset", "split", "speaker", "gender", "age", "age_group", "language")


def pieces(manifest: Path, words: set[str], lexicon: dict, margin: float, folder: Path) -> Iterator[dict]:
    """The words of a manifest's sentences as utterances, whose audio is relative to `folder`."""
    for utterance in read_manifest(manifest):
        if "audio" not in utterance or not utterance.get("transcript") or "alignment" not in utterance:
            continue
        seconds = utterance["alignment"][-1][1]
        audio = utterance["audio"]
        if not os.path.isabs(audio):
            audio = os.path.relpath(audio_path(manifest, utterance).resolve(), folder.resolve())
        sentence = utterance["transcript"].split()
        for number, start, end, phones in find_words(utterance["transcript"], utterance["alignment"], lexicon):
            word = sentence[number]
            if word not in words:
                continue
            start, end = max(start - margin, 0.0), min(end + margin, seconds)
            yield {"id": f"{utterance['id']}/{word}@{start:.2f}", "audio": audio,
                   "start": round(utterance.get("start", 0.0) + start, 6), "duration": round(end - start, 6),
                   "keyword": word, "transcript": word, "phones": " ".join(phones),
                   **{field: utterance[field] for field in KEPT if field in utterance}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="sentences with `alignment`, as `speechzoo align` writes it")
    parser.add_argument("words", nargs="+", metavar="word")
    parser.add_argument("--out", type=Path, required=True, help="manifest to write")
    parser.add_argument("--lexicon", default="cmudict", help="cmudict, or a lexicon's path")
    parser.add_argument("--margin", type=float, default=0.05, help="seconds before and behind a word, %(default)s")
    arguments = parser.parse_args()
    lexicon = load_lexicon(arguments.lexicon)
    found = list(pieces(arguments.manifest, set(arguments.words), lexicon, arguments.margin, arguments.out.parent))
    write_manifest(arguments.out, found)
    for word in arguments.words:
        durations = sorted(piece["duration"] for piece in found if piece["keyword"] == word)
        middle = f", {durations[0]:.2f} to {durations[-1]:.2f} s, median {durations[len(durations) // 2]:.2f} s" if durations else ""
        print(f"{word}: {len(durations)}{middle}")


if __name__ == "__main__":
    main()
