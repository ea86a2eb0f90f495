"""Back-off n-gram language models: ARPA files read, and small ones estimated from text."""

import gzip
import math
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from speechzoo.files import write_atomically
from speechzoo.text.reading import decode_words, is_symbol

SENTENCE_START, SENTENCE_END, UNKNOWN = "<s>", "</s>", "<unk>"
# Probability of a word that a model without <unk> has never seen; also what ARPA files write for log 0.
_IMPOSSIBLE = -99.0
_BLANKS = " \t\r\n\v\f"
_FIELDS = re.compile(r"[ \t\v\f]+")
_COUNT = re.compile(r"ngram[ \t]+(\d+)[ \t]*=[ \t]*(\d+)")
_SECTION = re.compile(r"\\(\d+)-grams[ \t]*:")


class NGram:
    """A back-off n-gram model over words (Katz 1987).

    Args:
        entries: Words (1 to `order` of them) -> (log10 probability of the last after the others, log10 back-off
            weight of all of them as a history).

    Attributes:
        order: Words in the longest n-gram.

    Example:
        >>> model = build_ngram(["go up", "go down"], order=2)
        >>> model.log10("up", ("go",)) > model.log10("go", ("go",))
        True
    """

    def __init__(self, entries: dict[tuple[str, ...], tuple[float, float]]):
        if not entries:
            raise ValueError("a language model without n-grams")
        self.entries = entries
        self.order = max(map(len, entries))

    @property
    def words(self) -> set[str]:
        """The vocabulary, without symbols such as `<s>`, `</s>` and `<unk>`."""
        return {words[0] for words in self.entries if len(words) == 1 and not is_symbol(words[0])}

    def known(self, word: str) -> str:
        """The word as histories hold it: itself, or `<unk>` where the model doesn't know it."""
        return word if (word,) in self.entries else UNKNOWN

    def log10(self, word: str, history: tuple[str, ...] = ()) -> float:
        """log10 of the probability of `word` after `history`; an unseen word counts as `<unk>`.

        Args:
            word: The word, or `</s>`.
            history: Words before it, oldest first; `<s>` begins a sentence. Only the last `order` - 1 matter.
        """
        word = self.known(word)
        history = tuple(history[max(len(history) - self.order + 1, 0):])
        backoff = 0.0
        while True:
            entry = self.entries.get((*history, word))
            if entry is not None:
                return backoff + entry[0]
            if not history:
                return backoff + _IMPOSSIBLE
            if history in self.entries:
                backoff += self.entries[history][1]
            history = history[1:]

    def sentence_log10(self, text: str) -> float:
        """log10 of the probability of a sentence, its end included."""
        history, total = (SENTENCE_START,), 0.0
        for word in [*text.split(), SENTENCE_END]:
            total += self.log10(word, history)
            history = (*history, self.known(word))
        return total

    def perplexity(self, texts: Iterable[str]) -> float:
        """Perplexity a word, sentence ends counted as words."""
        total, words = 0.0, 0
        for text in texts:
            total += self.sentence_log10(text)
            words += len(text.split()) + 1
        return 10 ** (-total / max(words, 1))

    @classmethod
    def load(cls, path: str | Path) -> "NGram":
        """Reads an ARPA file, plain or gzip-compressed. Words are lower-cased, as transcripts are.

        A back-off that is missing is 0, and of words that differ in case only the more probable counts.

        Raises:
            ValueError: Not an ARPA file, one that was cut off or holds other counts than it declares, or says two
                things of the same words; the message names file and line.
            OSError: The file can't be read.
        """
        data = Path(path).read_bytes()
        try:
            data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path}: not an ARPA file: {error}") from None
        if b"\\data\\" not in data:
            raise ValueError(f"{path}: not an ARPA file: no \\data\\")
        return cls(_read_arpa(re.split("\r\n|\n|\r", decode_words(data, path)), path))

    def save(self, path: str | Path):
        """Writes the model as an ARPA file, whole or not at all; a name that ends in `.gz` is compressed."""
        write_atomically(path, self.to_bytes(compressed=Path(path).suffix == ".gz"))

    def to_bytes(self, compressed: bool = False) -> bytes:
        """The model as an ARPA file, gzip-compressed or plain."""
        orders = [sorted(words for words in self.entries if len(words) == n) for n in range(1, self.order + 1)]
        lines = ["\\data\\", *(f"ngram {n}={len(group)}" for n, group in enumerate(orders, 1))]
        for n, group in enumerate(orders, 1):
            lines += ["", f"\\{n}-grams:"]
            for words in group:
                probability, backoff = self.entries[words]
                tail = f"\t{backoff:.7f}" if n < self.order else ""
                lines.append(f"{probability:.7f}\t{' '.join(words)}{tail}")
        data = "\n".join([*lines, "", "\\end\\", ""]).encode()
        return gzip.compress(data, mtime=0) if compressed else data


def _read_arpa(lines, path) -> dict:
    entries, written, declared, held = {}, {}, {}, defaultdict(int)
    order, ended = None, False
    for number, line in enumerate(lines, 1):
        line = line.strip(_BLANKS)
        if not line or order is None and line != "\\data\\":
            continue  # what stands before \data\ is a comment
        try:
            if line == "\\end\\":
                ended = True
                break
            if line == "\\data\\":
                order = 0
            elif line.startswith("\\"):
                order = int(_SECTION.fullmatch(line)[1])
            elif order == 0:
                n, count = _COUNT.fullmatch(line).groups()
                declared[int(n)] = int(count)
            else:
                fields = _FIELDS.split(line)  # a word may hold a blank of another kind, such as U+00A0
                spelt = tuple(fields[1:order + 1])
                if len(spelt) != order or len(fields) > order + 2:
                    raise ValueError
                probability, backoff = map(_log10, (fields[0], *(fields[order + 1:] or "0")))
                if probability > 1e-3:
                    raise ValueError
                held[order] += 1
                if written.setdefault(spelt, (probability, backoff)) != (probability, backoff):
                    raise ValueError(f"{path}:{number}: '{' '.join(spelt)}' stands in the file already, with another "
                                     "probability or back-off; keep one of the lines")
                words = tuple(word.lower() for word in spelt)
                if words not in entries or entries[words][0] < probability:  # words that differ in case only
                    entries[words] = (probability, backoff)
        except (ValueError, TypeError, AttributeError) as error:
            if str(error).startswith(f"{path}:"):
                raise
            raise ValueError(f"{path}:{number}: not a line of an ARPA file: '{line[:60]}'") from None
    if not entries or not ended:
        problem = "truncated: no final line" if entries else "not an ARPA file: no n-grams and no"
        raise ValueError(f"{path}: {problem} \\end\\")
    for n, count in declared.items():
        if held[n] != count:
            raise ValueError(f"{path}: declares {count} {n}-grams and holds {held[n]}; lines are missing, or were "
                             "added without counting them")
    return entries


def _log10(written):
    """A logarithm of an ARPA file; what is impossible is written as minus infinity or as -99."""
    if written.lower() in ("-inf", "-infinity", "-1.#inf"):
        return _IMPOSSIBLE
    number = float(written)
    if not math.isfinite(number):
        raise ValueError
    return number


def build_ngram(texts: Iterable[str], order: int = 3) -> NGram:
    """Estimates a model with interpolated Kneser-Ney smoothing, one discount an order.

    Source: Chen & Goodman 1999, "An empirical study of smoothing techniques for language modeling", section 3 and
    equation 18; discounts as in Ney et al. 1994. Unigrams are interpolated with a uniform distribution over the
    vocabulary, `</s>` and `<unk>`.

    Args:
        texts: Sentences, words separated by spaces, as transcripts are written; symbols such as `<s>` are passed over.
        order: Words in the longest n-gram.

    Raises:
        ValueError: No words, or an order below 1.
    """
    if order < 1:
        raise ValueError(f"order of an n-gram model is 1 or more, got {order}")
    texts = ([word for word in text.split() if not is_symbol(word)] for text in texts)
    sentences = [(SENTENCE_START, *words, SENTENCE_END) for words in texts if words]
    if not sentences:
        raise ValueError("no words to estimate a language model from")
    counts = [None, *(_counts(sentences, n) for n in range(1, order + 1))]
    for n in range(order - 1, 0, -1):  # below the highest order, how many different words come before
        different = defaultdict(int)
        for words in counts[n + 1]:
            different[words[1:]] += 1
        # Nothing comes before the start of a sentence, so n-grams that begin with it keep their counts.
        counts[n] = {words: count if words[0] == SENTENCE_START else different[words]
                     for words, count in counts[n].items()}
    counts[1].pop((SENTENCE_START,), None)
    vocabulary = [words[0] for words in counts[1]] + [UNKNOWN]
    probabilities = {}
    backoffs = {}
    for n in range(1, order + 1):
        discount = _discount(counts[n].values())
        totals, kinds = defaultdict(int), defaultdict(int)
        for words, count in counts[n].items():
            totals[words[:-1]] += count
            kinds[words[:-1]] += 1
        for history, total in totals.items():
            backoffs[history] = discount * kinds[history] / total
        for words, count in counts[n].items():
            history = words[:-1]
            lower = probabilities[words[1:]] if n > 1 else 1 / len(vocabulary)
            probabilities[words] = (count - discount) / totals[history] + backoffs[history] * lower
        if n == 1:
            probabilities[(UNKNOWN,)] = backoffs[()] / len(vocabulary)
    entries = {words: (math.log10(probability), math.log10(backoffs.get(words, 1.0)))
               for words, probability in probabilities.items()}
    entries[(SENTENCE_START,)] = (_IMPOSSIBLE, math.log10(backoffs.get((SENTENCE_START,), 1.0)))
    return NGram(entries)


def _counts(sentences, n):
    counts = defaultdict(int)
    for words in sentences:
        for start in range(len(words) - n + 1):
            counts[words[start:start + n]] += 1
    return dict(counts)


def _discount(counts):
    once, twice = sum(count == 1 for count in counts), sum(count == 2 for count in counts)
    # A text so small or so regular that the estimate fails gets the middle of its range.
    return once / (once + 2 * twice) if once and twice else 0.5
