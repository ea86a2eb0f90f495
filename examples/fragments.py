"""Cuts the transcripts of a prepared corpus into pieces as long as commands: sentences that ask for nothing.

    python examples/fragments.py prepared/librispeech/manifest.jsonl fragments.txt
    speechzoo synthesize fragments.txt --hours 1.5 --out prepared/fragments_spoken --seed 4

Spoken by the voices that speak a grammar, they teach a model that it is the words that make a command, not the voice.
"""

import argparse
import random
from pathlib import Path

from speechzoo.data.manifest import read_manifest

SHORTEST, LONGEST = 2, 11  # words


def fragments(transcripts: list[str], seed: int) -> list[str]:
    """Pieces of 2 to 11 words, shuffled."""
    generator = random.Random(seed)
    pieces = []
    for transcript in transcripts:
        words = transcript.split()
        while words:
            count = generator.randint(SHORTEST, LONGEST)
            piece, words = words[:count], words[count:]
            if len(piece) >= SHORTEST:
                pieces.append(" ".join(piece))
    generator.shuffle(pieces)
    return pieces


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path, help="text file, a piece on each line")
    parser.add_argument("--split", default="train", help="only transcripts of this split, train")
    parser.add_argument("--count", type=int, default=2200, help="pieces, 2200")
    parser.add_argument("--seed", type=int, default=4)
    arguments = parser.parse_args()
    transcripts = [utterance["transcript"] for utterance in read_manifest(arguments.manifest)
                   if utterance.get("split") == arguments.split and "transcript" in utterance]
    pieces = fragments(transcripts, arguments.seed)[:arguments.count]
    arguments.out.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    print(f"{arguments.out}: {len(pieces)} pieces")


if __name__ == "__main__":
    main()
