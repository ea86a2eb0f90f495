"""Makes the table that guesses pronunciations, and measures it on words that it has not seen.

    python -m tools.letter_to_sound --out speechzoo/text/letter_to_sound.txt.gz

takes some minutes. Letters and phones of the CMU Pronouncing Dictionary (the package `pocketsphinx` brings it) are aligned, each letter with none, one
or two phones, by expectation maximisation on best paths. Then every letter is entered with the smallest context that says how it
sounds. The figures come from a table made without 5000 words, against the nearest of each word's pronunciations; the file is made
from all of them.
"""

import argparse
import gzip
import math
import random
import re
from collections import Counter, defaultdict
from pathlib import Path

import jiwer

from speechzoo.text.letter_to_sound import context, pronounce
from speechzoo.text.lexicon import load_lexicon

HELD_OUT = 5000
ROUNDS = 4
UNSEEN = 12.0  # cost of a letter sounding as it never has, nats

Sounds = list[tuple[str, ...]]  # the phones of each letter


def align(word: str, phones: list[str], costs: dict) -> Sounds | None:
    """The cheapest way to give each letter none, one or two of the phones; None where there are too many phones."""
    best = {0: (0.0, ())}  # phones used -> (cost, the sounds so far as a linked list)
    for place, letter in enumerate(word):
        of_letter, following = costs.get(letter, {}), {}
        least = len(phones) - 2 * (len(word) - place - 1)
        for used, (cost, path) in best.items():
            for count in range(3):
                end = used + count
                if end > len(phones) or end < least:
                    continue
                sound = tuple(phones[used:end])
                total = cost + of_letter.get(sound, UNSEEN)
                if end not in following or total < following[end][0]:
                    following[end] = (total, (path, sound))
        best = following
    if len(phones) not in best:
        return None
    sounds, path = [], best[len(phones)][1]
    while path:
        path, sound = path
        sounds.append(sound)
    return sounds[::-1]


def align_all(words: list[tuple[str, list[str]]]) -> list[tuple[str, Sounds]]:
    """Alignments of all words, which agree with each other after some rounds."""
    counts = defaultdict(Counter)
    for word, phones in words:
        for letter in word:
            counts[letter][()] += 0.2  # any letter may be silent
        if len(word) == len(phones):
            for letter, phone in zip(word, phones):
                counts[letter][(phone,)] += 1
    for number in range(ROUNDS):
        costs = {letter: {sound: -math.log(count / of_letter.total()) for sound, count in of_letter.items()}
                 for letter, of_letter in counts.items()}
        # The first rounds only find out what is common.
        chosen = words[::4] if number < ROUNDS - 2 else words
        aligned = [(word, sounds) for word, phones in chosen if (sounds := align(word, phones, costs)) is not None]
        counts = defaultdict(Counter)
        for word, sounds in aligned:
            for letter, sound in zip(word, sounds):
                counts[letter][sound] += 1
    return aligned


def make_table(aligned: list[tuple[str, Sounds]]) -> dict[str, list[str]]:
    """Every context that sounds different from the shorter one it extends, and those on the way to it."""
    counts, longer = defaultdict(Counter), defaultdict(set)
    for word, sounds in aligned:
        for place, sound in enumerate(sounds):
            letters = context(word, place)
            for size in range(1, len(letters) + 1):
                counts[letters[:size]][sound] += 1
                if size > 1:
                    longer[letters[:size - 1]].add(letters[:size])
    table = {}

    def enter(letters, sound_without) -> bool:
        sound = min(counts[letters].items(), key=lambda item: (-item[1], item[0]))[0]
        needed = False
        if len(counts[letters]) > 1:
            for extended in longer[letters]:
                needed |= enter(extended, sound)
        if needed or sound != sound_without:
            table[letters] = list(sound)
        return letters in table

    for letters in [letters for letters in counts if len(letters) == 1]:
        enter(letters, None)
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="file to write")
    arguments = parser.parse_args()
    lexicon = load_lexicon("cmudict")
    words = [(word, variants[0]) for word, variants in lexicon.items() if re.fullmatch("[a-z']*[a-z][a-z']*", word)]
    aligned = align_all(words)
    print(f"{len(aligned)} of {len(words)} words aligned")

    random.Random(0).shuffle(aligned)
    table = make_table(aligned[HELD_OUT:])
    references, guesses = [], []
    for word, _ in aligned[:HELD_OUT]:
        guess = " ".join(pronounce(word, table))
        variants = [" ".join(variant) for variant in lexicon[word]]
        references.append(min(variants, key=lambda variant: jiwer.wer(variant, guess)))
        guesses.append(guess)
    right = sum(reference == guess for reference, guess in zip(references, guesses)) / HELD_OUT
    print(f"of {HELD_OUT} unseen words {right:.1%} right; phone error rate {jiwer.wer(references, guesses):.1%}")

    table = make_table(aligned)
    known = sum(pronounce(word, table) in lexicon[word] for word, _ in words) / len(words)
    data = gzip.compress("".join(f"{' '.join([letters, *phones])}\n" for letters, phones in sorted(table.items())).encode(),
                         compresslevel=9, mtime=0)
    print(f"{len(table)} contexts, {len(data) / 1e3:.0f} kB; {known:.1%} of the words it was made from right")
    if arguments.out:
        arguments.out.write_bytes(data)


if __name__ == "__main__":
    main()
