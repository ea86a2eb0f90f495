"""Which signatures a file gets, and that each of their names has a writer and a reader."""

import re
from pathlib import Path

import pytest

from speechzoo.edge import signatures
from speechzoo.exporters.signatures import SIGNATURES, choose_signatures
from tests.helpers import tone
from tests.tiny_models import build, streaming_model, tiny, tiny_model
from tests.tiny_parts import HEADS

NAMES = {name: value for name, value in vars(signatures).items() if isinstance(value, str) and name.isupper()}


def chosen(model, names=None):
    return [signature.name for signature in choose_signatures(model, model.spec, names)]


def test_what_applies_to_a_model_that_cannot_stream_is_a_choice():
    assert chosen(tiny_model()) == ["recognize"]
    assert chosen(tiny_model(), []) == ["recognize"]
    assert chosen(tiny_model(), ["adapt", "keyword"]) == ["recognize", "keyword", "adapt"]
    message = "the model has no signature 'stream_step'; it has: recognize, keyword, embed, learn, adapt$"
    with pytest.raises(ValueError, match=message):
        chosen(tiny_model(), ["stream_step"])


def test_a_model_that_streams_has_all_but_those_with_variables():
    model = streaming_model("conformer")
    assert chosen(model) == ["recognize", "stream_step", "keyword", "embed"]
    assert chosen(model, ["learn"]) == ["recognize", "learn"]
    assert [signature.name for signature in SIGNATURES if signature.has_variables] == ["learn", "adapt"]


def test_every_name_is_written_once_and_read_by_somebody():
    streams, recordings = streaming_model("conformer"), [tone(1.5, 300, seed=1)]
    writes = {signatures.DECODE_STEP: build(tiny(heads={"text": {"type": "seq2seq", **HEADS["seq2seq"]}}))}
    written = [endpoint.name for signature in SIGNATURES for model in [writes.get(signature.name, streams)]
               for endpoint in signature(model, model.spec, recordings).endpoints()]
    assert sorted(written) == sorted(NAMES.values())
    folder = Path(signatures.__file__).parent
    readers = "".join(path.read_text() for path in folder.glob("*.py") if path.name != "signatures.py")
    unread = [name for name in NAMES if not re.search(rf"\b{name}\b", readers)]
    # An EdgeModel chooses early exits by what they answer (tests/exporters/test_stream_tflite.py).
    assert unread == ["KEYWORD", "EMBED"]


def test_names_of_words_and_of_owners_are_grouped():
    grouped = {name for name in NAMES if name.startswith(("WORDS_", "OWNER_"))}
    assert {NAMES[name] for name in grouped} == {*signatures.CUSTOM_WORDS, *signatures.OWNER}
    assert NAMES["WORDS_LEARN"] in signatures.CUSTOM_WORDS and NAMES["OWNER_ADAPT"] in signatures.OWNER
