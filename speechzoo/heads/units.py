"""Units that CTC heads emit: characters, ARPAbet phones or byte-pair-encoding pieces."""

from collections import Counter

from speechzoo.decoding.ctc import WORD_START
from speechzoo.decoding.spelling import split_pieces

__all__ = ["CHARACTERS", "PHONES", "WORD_START", "learn_pieces", "split_characters", "split_phones", "split_pieces"]

CHARACTERS = list(" 'abcdefghijklmnopqrstuvwxyz")
# ARPAbet without stress, as CMUdict writes it.
PHONES = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH".split()


def split_characters(text: str) -> list[str]:
    return list(text)


def split_phones(text: str) -> list[str]:
    return text.split()


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
