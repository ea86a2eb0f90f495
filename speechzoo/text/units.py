"""The units that heads write: characters, ARPAbet phones, byte-pair-encoding pieces; and the names of what is none."""

from collections import Counter

BLANK_INDEX = 0
"""`BLANK_INDEX` is the output of a `ctc` head for "no unit here"; its units are numbered from 1."""

CHARACTERS = list(" 'abcdefghijklmnopqrstuvwxyz")
PHONES = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()
"""`PHONES` are the 39 phones of ARPAbet without stress, as the CMU Pronouncing Dictionary writes them."""
WRITTEN_KINDS = ("characters", "pieces")
"""`WRITTEN_KINDS` are the kinds of units that words are spelt in, other than `phones`, which say how they sound."""
SILENCE_PHONE = "SIL"
"""`SILENCE_PHONE` stands in alignments where nobody speaks."""
WORD_START = "\u2581"
"""`WORD_START` marks the piece that begins a word, as SentencePiece writes it."""

UNKNOWN_CLASS = "_unknown_"
SILENCE_CLASS = "_silence_"
"""`UNKNOWN_CLASS` is any other word (or voice), `SILENCE_CLASS` none at all, as Speech Commands names them."""


def split_characters(text: str) -> list[str]:
    return list(text)


def split_phones(text: str) -> list[str]:
    return text.split()


def split_pieces(text: str, pieces: list[str]) -> list[str]:
    """Byte-pair encoding (Sennrich et al. 2016): the pair that was learnt first merges first.

    Args:
        text: Words separated by spaces.
        pieces: Units in the order in which they were learnt.
    """
    rank = {piece: index for index, piece in enumerate(pieces)}
    units = []
    for word in text.split():
        parts = [WORD_START, *word]
        while len(parts) > 1:
            ranks = [rank.get(left + right, len(rank)) for left, right in zip(parts, parts[1:])]
            best = min(ranks)
            if best == len(rank):
                break
            at = ranks.index(best)
            parts[at:at + 2] = [parts[at] + parts[at + 1]]
        units.extend(parts)
    return units


def learn_pieces(texts, size: int) -> list[str]:
    """Learns byte-pair-encoding pieces from transcripts.

    Args:
        texts: Iterable of transcripts.
        size: Number of units, single characters included.

    Returns:
        Single characters, then merges in the order of their frequency (ties in alphabetical order).
    """
    words = Counter(word for text in texts for word in text.split())
    split = {word: [WORD_START, *word] for word in words}
    pieces = sorted({part for parts in split.values() for part in parts})
    while len(pieces) < size:
        pairs = Counter()
        for word, parts in split.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[word]
        if not pairs:
            break
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        pieces.append(left + right)
        for parts in split.values():
            index = 0
            while index < len(parts) - 1:
                if parts[index] == left and parts[index + 1] == right:
                    parts[index:index + 2] = [left + right]
                index += 1
    return pieces
