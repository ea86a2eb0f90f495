import itertools
import json
from collections import Counter

import pytest

from speechzoo.corpora.corpus import CorpusError
from speechzoo.corpora.synthesis.sentences import read_sentences
from speechzoo.grammar.errors import GrammarError

GRAMMAR = """
language: en
intents:
  lights:
    sentences: ["[please] turn on the {room} light"]
  stop:
    sentences: ["stop"]
slots:
  room: [kitchen, hall]
"""


def take(count, source, *arguments, **options):
    return list(itertools.islice(read_sentences(source, *arguments, **options)[1], count))


def test_a_grammar(tmp_path):
    (tmp_path / "home.yaml").write_text(GRAMMAR)
    name, _ = read_sentences(tmp_path / "home.yaml", 1)
    sentences = take(400, tmp_path / "home.yaml", 1)
    assert name == "home" and sentences == take(400, tmp_path / "home.yaml", 1) != take(400, tmp_path / "home.yaml", 2)
    assert {"transcript": "stop", "intent": "stop"} in sentences
    assert {"transcript": "turn on the hall light", "intent": "lights", "slots": {"room": "hall"}} in sentences
    assert set(Counter(sentence["intent"] for sentence in sentences).values()) == {200}


def test_a_grammar_of_the_zoo():
    name, sentences = read_sentences("smart_speaker", 1)
    assert name == "smart_speaker" and next(sentences)["intent"]


def test_a_text_file(tmp_path):
    (tmp_path / "lines.txt").write_text("Play 2 songs!\n\nStop.\nstop\n")
    name, _ = read_sentences(tmp_path / "lines.txt", 1)
    sentences = take(6, tmp_path / "lines.txt", 1)
    assert name == "lines"
    assert Counter(sentence["transcript"] for sentence in sentences) == {"play two songs": 3, "stop": 3}


def test_a_corpus_of_texts(tmp_path):
    for split, intent, texts in (("train", "PlayMusic", ["play jazz", "play rock", "play pop"]),
                                 ("train", "GetWeather", ["weather in rome"]),
                                 ("validate", "GetWeather", ["is it hot"])):
        data = [{"data": [{"text": text}]} for text in texts]
        (tmp_path / f"{split}_{intent}.json").write_text(json.dumps({intent: data}))
    assert read_sentences(tmp_path, 1, "snips")[0] == "snips"
    sentences = take(12, tmp_path, 1, "snips", ["train"])
    assert Counter(sentence["intent"] for sentence in sentences) == {"PlayMusic": 6, "GetWeather": 6}
    assert Counter(sentence["transcript"] for sentence in sentences)["play jazz"] == 2
    assert set(sentences[0]) == {"transcript", "intent"}
    with pytest.raises(CorpusError, match="no utterance of split dev; it has: train, validate"):
        read_sentences(tmp_path, 1, "snips", ["dev"])


def test_what_can_not_be_spoken(tmp_path):
    (tmp_path / "empty.txt").write_text("\n ...\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "german.yaml").write_text(GRAMMAR.replace("language: en", "language: de"))
    for arguments, error, message in (
            (("empty.txt", 1), CorpusError, "has no sentence"), (("latin.txt", 1), CorpusError, "not a text file"),
            ((".", 1), CorpusError, "is a folder; say with --corpus"),
            (("german.yaml", 1), CorpusError, "language 'de'; only English"),
            (("missing.yaml", 1), GrammarError, "no such grammar file"),
            (("missing", 1, "snips"), CorpusError, "no such file or folder"),
            ((".", 1, "snip"), CorpusError, "did you mean 'snips'")):
        source = tmp_path / arguments[0]
        with pytest.raises(error, match=message):
            read_sentences(source, *arguments[1:])
    with pytest.raises(GrammarError, match="did you mean 'smart_speaker'"):
        read_sentences("smart_speakers", 1)
