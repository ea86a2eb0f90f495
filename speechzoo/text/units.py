"""The units that heads write: characters, ARPAbet phones, byte-pair-encoding pieces; and the names of what is none."""

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
