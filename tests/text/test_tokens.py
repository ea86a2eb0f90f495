"""The tokens of an attention decoder."""

import pytest

from speechzoo.text.tokens import make_tokens
from speechzoo.text.units import is_special
from speechzoo.text.whisper_tokens import VOCABULARIES, recognize_vocabulary, whisper_vocabulary


# Sizes, and where text ends, as openai-whisper's tokenizer counts them.
@pytest.mark.parametrize("name, size, end, nothing", [("whisper_en", 51864, 50256, 50361),
                                                      ("whisper_multilingual", 51865, 50257, 50362)])
def test_whispers_vocabularies(name, size, end, nothing):
    tokens = whisper_vocabulary(name)
    assert len(tokens) == len(set(tokens)) == size
    assert tokens.index("<|endoftext|>") == end and tokens.index("<|nocaptions|>") == nothing
    assert not any(map(is_special, tokens[:end])) and all(map(is_special, tokens[end:]))
    assert tokens[nothing + 1:nothing + 4] == ["<|notimestamps|>", "<|0.00|>", "<|0.02|>"]


# As GPT-2 encodes it.
def test_text_begins_with_a_space():
    english = make_tokens("whisper_en", "x")
    assert english.encode("hello world") == [23748, 995] and english.encode("") == []


def test_a_vocabulary_is_recognized_whatever_special_tokens_are_called():
    for name in VOCABULARIES:
        tokens = whisper_vocabulary(name)
        assert recognize_vocabulary(list(tokens)) == name
        renamed = ["<|nospeech|>" if token == "<|nocaptions|>" else "<|iw|>" if token == "<|he|>" else token
                   for token in tokens]
        assert recognize_vocabulary(renamed) == name
    assert recognize_vocabulary(["a", "<|endoftext|>"]) == ["a", "<|endoftext|>"]


def test_a_list_is_of_bytes_where_it_says_how_text_ends():
    assert make_tokens(["a", "<|endoftext|>"], "x").kind == "bytes"
    pieces = make_tokens(["a", "\u2581"], "x")
    assert pieces.kind == "pieces" and pieces.names == ["<|startoftranscript|>", "<|endoftext|>", "a", "\u2581"]
    assert pieces.default_start == ["<|startoftranscript|>"]
    with pytest.raises(ValueError, match="'b' holds 'b', which is not among the units .pieces."):
        pieces.encode("b")
