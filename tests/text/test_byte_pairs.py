"""Byte-level byte-pair encoding, against the package `tokenizers`."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo.text.byte_pairs import BYTE_CHARACTERS, bytes_of, pre_tokens
from speechzoo.text.units import Bytes, is_special, units_of

# 256 bytes and 120 merges of `tokenizers` 0.23, learnt from seven sentences in five languages; what it makes of texts.
LEARNT = json.loads((Path(__file__).parent / "byte_pairs.json").read_text())
SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|0.00|>"]
UNITS = Bytes(LEARNT["units"] + SPECIAL)
texts = st.text(st.characters(codec="utf-8") | st.sampled_from(" '\n\tstaeinroldm"), max_size=40)


@pytest.mark.parametrize("text, units", LEARNT["cases"])
def test_the_same_units_as_tokenizers(text, units):
    assert UNITS.split(text) == units


@settings(max_examples=300, deadline=None)
@given(texts)
def test_every_text_comes_back(text):
    units = UNITS.split(text)
    assert set(units) <= set(LEARNT["units"]) and UNITS.join(units) == text
    assert "".join(pre_tokens(text)) == text


@pytest.mark.parity
def test_any_text_against_tokenizers():
    tokenizers = pytest.importorskip("tokenizers")
    reference = tokenizers.Tokenizer(tokenizers.models.BPE(
        {unit: number for number, unit in enumerate(LEARNT["units"])},
        [tuple(merge.split(" ")) for merge in LEARNT["merges"]]))
    reference.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    reference.decoder = tokenizers.decoders.ByteLevel()
    for text, units in LEARNT["cases"]:
        assert reference.encode(text).tokens == units

    @settings(max_examples=500, deadline=None)
    @given(texts)
    def same(text):
        units = UNITS.split(text)
        assert units == reference.encode(text).tokens
        half = units[:len(units) // 2]  # which may end inside of a letter
        assert UNITS.join(half) == reference.decode([reference.token_to_id(unit) for unit in half])

    same()


def test_every_byte_has_a_character():
    assert len(set(BYTE_CHARACTERS.values())) == 256
    assert not any(character.isspace() or not character.isprintable() for character in BYTE_CHARACTERS.values())
    for byte, character in BYTE_CHARACTERS.items():
        assert bytes_of(character) == bytes([byte])
    with pytest.raises(ValueError, match="unit 'a b' is none of bytes: ' ' stands for no byte"):
        bytes_of("a b")


def test_letters_of_several_bytes_stand_across_units():
    units = ["\u0120caf", "\u00c3", "\u00a9", SPECIAL[0]]
    assert UNITS.join(units) == " caf\u00e9" and UNITS.join(units[:2]) == " caf\ufffd"
    assert [UNITS.written(unit) for unit in units] == [" caf", "\ufffd", "\ufffd", ""]
    assert [UNITS.starts_word(unit) for unit in units] == [True, False, False, False]
    assert UNITS.text(units[0]) == "caf"


def test_special_units_are_no_text():
    assert all(map(is_special, SPECIAL)) and not any(map(is_special, ["<|", "|>", "<||>", "<", "a<|en|>", "<|a|b|>"]))
    assert SPECIAL[0] not in UNITS.split("<|endoftext|>")
    assert units_of({"kind": "characters", "units": ["a", " ", SPECIAL[0]]}).join(["a", " ", SPECIAL[0], "a"]) == "a a"
    assert isinstance(units_of({"kind": "bytes", "units": []}), Bytes)
