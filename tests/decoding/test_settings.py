import pytest

from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.ctc.beam import BeamSearch
from speechzoo.decoding.dictation.lexicon_search import LexiconSearch
from speechzoo.decoding.settings import DecoderSettings
from speechzoo.grammar.reading import parse_grammar
from speechzoo.text.ngram import build_ngram
from tests.fake_model import FakeModel

LANGUAGE_MODEL = build_ngram(["go up", "up"], order=2)
LEXICON = {"go": [("G", "OW")], "up": [("AH", "P")]}


@pytest.mark.parametrize("settings, kind, expected", [
    ({}, type(None), {}),
    ({"beam_width": 4}, BeamSearch, {"beam_width": 4, "lm_weight": 0.5, "word_bonus": 0.0}),
    ({"language_model": LANGUAGE_MODEL}, BeamSearch, {"beam_width": 16, "lm_weight": 0.5, "word_bonus": 1.0}),
    ({"words": ["up"], "word_bonus": 2.0}, BeamSearch, {"beam_width": 16, "word_bonus": 2.0}),
    ({"boost": ["go up"]}, BeamSearch, {"beam_width": 16}),
    ({"dictation": LEXICON}, LexiconSearch, {"language_model": None, "lm_weight": 1.0, "word_bonus": 0.0}),
    ({"dictation": LEXICON, "language_model": LANGUAGE_MODEL, "lm_weight": 0.0}, LexiconSearch, {"lm_weight": 0.0}),
], ids=["greedy", "beam", "language model", "words", "boost", "dictation", "dictation and model"])
def test_transcripts(settings, kind, expected):
    decoder = DecoderSettings(**settings).transcripts(FakeModel.spec)
    assert type(decoder) is kind
    assert {name: getattr(decoder, name) for name in expected} == expected


def test_commands():
    grammar = parse_grammar("intents: {move: go up}")
    decoder = DecoderSettings(grammar=grammar, lexicon=LEXICON).commands(FakeModel.spec)
    assert isinstance(decoder, CommandDecoder) and decoder.head == "phones"
    assert DecoderSettings().commands(FakeModel.spec) is None
