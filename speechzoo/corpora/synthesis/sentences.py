"""What is to be said: the sentences of a grammar, of a corpus, or of a text file, without end."""

import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from speechzoo.corpora import make_reader
from speechzoo.corpora.corpus import CorpusError, read_text
from speechzoo.grammar.reading import load_grammar
from speechzoo.grammar.sampling import sample_sentences
from speechzoo.text.normalize import normalize_transcript

_KEPT = ("transcript", "intent", "slots")


def read_sentences(source: str | Path, seed: int, corpus: str | None = None,
                   splits: Iterable[str] = ()) -> tuple[str, Iterator[dict]]:
    """Sentences in random order, again and again, even over the intents and, in a grammar, over slots and values.

    Args:
        source: A grammar (a name of the zoo's, or a `.yaml` file), a text file with a sentence on each line, or what
            the corpus reader `corpus` reads.
        seed: Of the order.
        corpus: Name of a corpus reader, such as `snips`; what is spoken is `transcript`.
        splits: Only these splits of the corpus.

    Returns:
        The name of the source, and its sentences: dicts of `transcript` and, where known, `intent` and `slots`.

    Raises:
        GrammarError: The grammar can't be read.
        CorpusError: There is nothing to say in it.
    """
    path, splits = Path(source), set(splits)
    if corpus:
        if not path.exists():
            raise CorpusError(f"{source}: no such file or folder")
        utterances = list(make_reader(corpus).read(path))
        known = {utterance.get("split", "none") for utterance in utterances}
        if splits - known:
            raise CorpusError(f"the corpus has no utterance of split {', '.join(sorted(splits - known))}; "
                              f"it has: {', '.join(sorted(known))}")
        items = [{**{key: utterance[key] for key in _KEPT if key in utterance},
                  "transcript": normalize_transcript(utterance["transcript"])} for utterance in utterances
                 if utterance.get("transcript") and (not splits or utterance.get("split") in splits)]
        if not items:
            raise CorpusError(f"{source}: has no transcripts to speak")
        return corpus, _deal(items, seed)
    if path.is_dir():
        raise CorpusError(f"{source}: is a folder; say with --corpus what it holds, such as --corpus snips")
    if path.suffix and path.suffix not in (".yaml", ".yml") and not path.exists():
        raise CorpusError(f"{source}: no such text file")
    if path.is_file() and path.suffix not in (".yaml", ".yml"):
        lines = [normalize_transcript(line) for line in read_text(path).splitlines()]
        items = [{"transcript": line} for line in dict.fromkeys(lines) if line]
        if not items:
            raise CorpusError(f"{source}: has no sentence; write one on each line")
        return path.stem, _deal(items, seed)
    grammar = load_grammar(str(source))
    if grammar.language != "en":
        raise CorpusError(f"{source}: is in language '{grammar.language}'; only English is spoken")
    return grammar.name, ({"transcript": sentence.text, "intent": sentence.intent, "slots": sentence.slots}
                          if sentence.slots else {"transcript": sentence.text, "intent": sentence.intent}
                          for sentence in sample_sentences(grammar, sys.maxsize, seed))


def _deal(items: list[dict], seed: int) -> Iterator[dict]:
    """Goes around the intents; the sentences of each are shuffled again when all were dealt."""
    order, packs = random.Random(seed), {}
    for item in items:
        packs.setdefault(item.get("intent"), []).append(item)
    hands = {intent: [] for intent in packs}
    while True:
        for intent, pack in packs.items():
            if not hands[intent]:
                hands[intent] = order.sample(pack, len(pack))
            yield hands[intent].pop()
