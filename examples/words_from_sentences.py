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
from operator import itemgetter
from pathlib import Path

import jiwer

from speechzoo.data.manifest import audio_path, read_manifest, write_manifest
from speechzoo.text.lexicon import load_lexicon

KEPT = ("corpus", "subset", "split", "speaker", "gender", "age", "age_group", "language")


def find_words(utterance: dict, words: set[str], lexicon: dict) -> Iterator[tuple[str, float, float, str]]:
    """Yields (word, start, end, phones) of the words in an aligned sentence, in seconds of the sentence.

    The phones that the lexicon has for the sentence are laid beside those of the alignment with the fewest differences; a word
    is where its phones are, if they are the same. Words with several pronunciations are looked for with each.
    """
    said, before = [], 0.0
    for phone, end in utterance["alignment"]:
        if phone != "SIL":
            said.append((phone, before, end))
        before = end
    sentence = utterance["transcript"].split()
    wanted = [word for word in sentence if word in words and word in lexicon]
    if not said or not wanted:
        return
    found = {}
    variants = range(max(len(lexicon[word]) for word in wanted))
    matches = [match(spell(sentence, words, lexicon, variant), said) for variant in variants]
    for _, spans in sorted(matches, key=itemgetter(0)):  # the one with the fewest differences first
        for number, span in spans.items():
            if sentence[number] in words:
                found.setdefault(number, span)
    for number, (first, last) in sorted(found.items()):
        yield sentence[number], said[first][1], said[last][2], " ".join(phone for phone, _, _ in said[first:last + 1])


def spell(sentence: list[str], words: set[str], lexicon: dict, variant: int) -> list[list[str]]:
    """Phones of each word; `variant` is the number of the pronunciation of the words looked for."""
    # A word that the lexicon lacks takes whatever phones are left between its neighbours.
    pronunciations = [lexicon.get(word, [["?"]]) for word in sentence]
    return [spellings[min(variant, len(spellings) - 1) if word in words else 0]
            for word, spellings in zip(sentence, pronunciations)]


def match(spelt: list[list[str]], said: list[tuple]) -> tuple[int, dict[int, tuple[int, int]]]:
    """Number of differences, and word -> its first and last phone among those said, of words said as they are spelt."""
    written = [phone for phones in spelt for phone in phones]
    result = jiwer.process_words(" ".join(written), " ".join(phone for phone, _, _ in said))
    partners = {chunk.ref_start_idx + place: chunk.hyp_start_idx + place for chunk in result.alignments[0]
                if chunk.type == "equal" for place in range(chunk.ref_end_idx - chunk.ref_start_idx)}
    spans, first = {}, 0
    for number, phones in enumerate(spelt):
        own = [partners.get(place) for place in range(first, first + len(phones))]
        first += len(phones)
        together = None not in own and own == list(range(own[0], own[-1] + 1))
        if together and all(left[2] == right[1] for left, right in zip(said[own[0]:], said[own[0] + 1:own[-1] + 1])):
            spans[number] = (own[0], own[-1])
    return result.substitutions + result.insertions + result.deletions, spans


def pieces(manifest: Path, words: set[str], lexicon: dict, margin: float, folder: Path) -> Iterator[dict]:
    """The words of a manifest's sentences as utterances, whose audio is relative to `folder`."""
    for utterance in read_manifest(manifest):
        if "audio" not in utterance or not utterance.get("transcript") or "alignment" not in utterance:
            continue
        seconds = utterance["alignment"][-1][1]
        audio = utterance["audio"]
        if not os.path.isabs(audio):
            audio = os.path.relpath(audio_path(manifest, utterance).resolve(), folder.resolve())
        for word, start, end, phones in find_words(utterance, words, lexicon):
            start, end = max(start - margin, 0.0), min(end + margin, seconds)
            yield {"id": f"{utterance['id']}/{word}@{start:.2f}", "audio": audio,
                   "start": round(utterance.get("start", 0.0) + start, 6), "duration": round(end - start, 6),
                   "keyword": word, "transcript": word, "phones": phones,
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
