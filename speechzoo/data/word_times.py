"""When each word of a transcript is spoken, from an alignment of its phones and a lexicon."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from speechzoo.config import SourceConfig
from speechzoo.data.manifest import read_manifest, write_manifest
from speechzoo.data.speech_labels import label_of
from speechzoo.text.lexicon import load_lexicon
from speechzoo.text.units import SILENCE_PHONE, UNKNOWN_CLASS

# Phones by which what is said of a word may be longer or shorter than its pronunciations.
_SLACK = 2


def find_words(transcript: str, alignment: list[list], lexicon: dict[str, list[list[str]]]) -> list[tuple]:
    """The words that are spoken as the lexicon has them, and where.

    The phones of the alignment are cut into the words of the transcript so that as many as possible are one of their
    pronunciations, without a pause inside. A word that the lexicon lacks takes whatever lies between its neighbours.

    Args:
        transcript: Words separated by spaces.
        alignment: [phone or SIL, end in seconds] pairs.
        lexicon: Word -> its pronunciations.

    Returns:
        (number of the word, start, end, phones) of those found, in seconds.

    Example:
        >>> find_words("it is", [["IH", 0.1], ["T", 0.2], ["SIL", 0.5], ["IH", 0.6], ["Z", 0.9]],
        ...            {"it": [["IH", "T"]], "is": [["IH", "Z"], ["AH", "Z"]]})
        [(0, 0.0, 0.2, ['IH', 'T']), (1, 0.5, 0.9, ['IH', 'Z'])]
    """
    words, said, before = transcript.split(), [], 0.0
    for phone, end in alignment:
        if phone != SILENCE_PHONE:
            said.append((phone, before, end))
        before = end
    # Number of phones that are taken -> words not found so far, and how the last of them was cut.
    steps = [{0: (0, None)}]
    for word in words:
        steps.append(_next_step(steps[-1], said, lexicon.get(word, [])))
    if len(said) not in steps[-1]:
        return []
    found, place = [], len(said)
    for number in reversed(range(len(words))):
        _, (before, matches) = steps[number + 1][place]
        if matches:
            found.append((number, said[before][1], said[place - 1][2], [phone for phone, _, _ in said[before:place]]))
        place = before
    return found[::-1]


def _next_step(reached, said, pronunciations):
    """Where a word that begins at any of the places reached can end, at the smallest cost."""
    after = {}

    def reach(end, cost, start, matches):
        if end <= len(said) and (end not in after or cost < after[end][0]):
            after[end] = (cost, (start, matches))

    lengths = [len(phones) for phones in pronunciations]
    shortest, longest = (max(1, min(lengths) - _SLACK), max(lengths) + _SLACK) if lengths else (1, len(said))
    for start, (cost, _) in reached.items():
        for phones in pronunciations:
            piece = said[start:start + len(phones)]
            together = all(left[2] == right[1] for left, right in zip(piece, piece[1:]))
            if together and [phone for phone, _, _ in piece] == phones:
                reach(start + len(phones), cost, start, True)
        for length in range(shortest, min(longest, len(said) - start) + 1):
            reach(start + length, cost + 1, start, False)
    return after


def add_words(manifests: Iterable[str | Path], count: int, lexicon: str | Path = "cmudict") -> dict[str, int]:
    """Writes `words` to every utterance of some manifests with a transcript and an alignment, and replaces these.

    The label is a list of [word, end in seconds] from the beginning of the audio to its end; silence, words that
    aren't spoken as the lexicon has them and those that aren't among the commonest are `_unknown_`.

    Args:
        manifests: JSONL files; words are counted in all of them together.
        count: How many words are kept, the commonest.
        lexicon: See `load_lexicon`.

    Returns:
        Word -> how often it was found, the commonest first.

    Raises:
        ManifestError, LexiconError, OSError: A manifest or the lexicon can't be read, or a manifest not written.
    """
    lexicon, counts, found, contents = load_lexicon(lexicon), Counter(), {}, {}
    for manifest in map(Path, manifests):
        contents[manifest] = read_manifest(manifest)
        for number, utterance in enumerate(contents[manifest]):
            transcript = label_of(SourceConfig(str(manifest)), utterance, "transcript")
            if transcript and utterance.get("alignment"):
                words = transcript.split()
                found[manifest, number] = [(words[place], start, end) for place, start, end, _ in
                                           find_words(transcript, utterance["alignment"], lexicon)]
                counts.update(word for word, _, _ in found[manifest, number])
    commonest = dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:count])
    for (manifest, number), words in found.items():
        utterance = contents[manifest][number]
        utterance["words"] = _pairs([word for word in words if word[0] in commonest], utterance["alignment"][-1][1])
    for manifest, utterances in contents.items():
        write_manifest(manifest, utterances)
    return commonest


def _pairs(words, end):
    pairs, before = [], 0.0
    for word, start, until in words:
        if start > before:
            pairs.append([UNKNOWN_CLASS, start])
        pairs.append([word, until])
        before = until
    return pairs + ([[UNKNOWN_CLASS, end]] if end > before else [])
