"""What becomes of each array of a Whisper's decoder; that the values go to the right places, tests/parity/ shows."""

import json

import numpy as np
import pytest

from speechzoo.published.ctranslate2 import CTranslate2File
from speechzoo.published.whisper_decoder import read_alignment_heads, read_vocabulary, read_whisper
from speechzoo.text.whisper_tokens import whisper_vocabulary
from tests.published.tiny_whisper import COMMITTED, VOCABULARY


@pytest.fixture
def arrays():
    return dict(CTranslate2File(COMMITTED))


def test_every_array_is_used_once_or_left_out_with_a_reason(arrays):
    whisper = read_whisper(arrays, "x.bin", VOCABULARY, [[0, 1]])
    assert sorted([*whisper.used, *whisper.left_out]) == sorted(arrays)
    assert sorted(whisper.left_out) == [
        "decoder/alibi_use_positive_positions", "decoder/alignment_heads", "decoder/alignment_layer",
        "decoder/projection/weight", "decoder/scale_alibi", "encoder/position_encodings/encodings"]
    # What is used becomes weights, but for plain numbers and the zeros that are no biases of keys.
    numbers = sum(arrays[name].size for name in whisper.used if arrays[name].ndim) - 4 * 16
    assert sum(weight.size for weight in whisper.weights.values()) == numbers
    assert whisper.frontend == {"type": "whisper_log_mel", "silence_seconds": 3.0}
    assert list(whisper.heads) == ["transcript"] and whisper.heads["transcript"]["alignment_heads"] == [[0, 1]]


def test_vocabularies_of_whispers_sizes_need_no_list(arrays):
    grown = np.zeros((51865, 16), np.float16)
    arrays |= {"decoder/embeddings/weight": grown, "decoder/projection/weight": grown}
    assert read_whisper(arrays, "x.bin").heads["transcript"]["units"] == "whisper_multilingual"
    found = read_whisper(arrays, "x.bin", list(whisper_vocabulary("whisper_multilingual")))
    assert found.heads["transcript"]["units"] == "whisper_multilingual"


@pytest.mark.parametrize("name, change, message", [
    ("decoder/embeddings/weight", None, "has no 'decoder/embeddings/weight'"),
    ("decoder/projection/weight", lambda array: array + np.float16(1), "projection/weight' differs from the embed"),
    ("decoder/num_heads", lambda array: np.int16(3), "3 heads of the decoder and a size of 16"),
    ("decoder/activation", lambda array: np.int8(0), "activation' is not 3"),
    ("decoder/pre_norm", lambda array: np.int8(0), "pre_norm' is not 1"),
    ("decoder/layer_0/attention/linear_1/bias", lambda array: array + np.float16(1), "has a bias of the keys"),
    ("decoder/layer_0/attention/linear_1/weight", lambda array: array[:, 1:], "has the shape .32, 15., where .32, 16."),
    ("decoder/position_encodings/encodings", lambda array: np.full_like(array, np.nan), "not finite"),
    ("decoder/layer_7/ffn/linear_0/bias", lambda array: np.zeros(4, np.float16), "has no 'decoder/layer_1/"),
    ("decoder/extra", lambda array: np.zeros(4, np.float16), "1 arrays that Whisper doesn't have, such as"),
])
def test_what_is_unexpected_is_one_line(name, change, message, arrays):
    array = arrays.pop(name, None)
    if change:
        arrays[name] = change(array)
    with pytest.raises(ValueError, match=message) as raised:
        read_whisper(arrays, "x.bin", VOCABULARY)
    assert str(raised.value).startswith("x.bin: ") and "\n" not in str(raised.value)


def test_a_vocabulary_must_fit(arrays):
    with pytest.raises(ValueError, match="8 tokens, and 7 in the vocabulary beside it"):
        read_whisper(arrays, "x.bin", VOCABULARY[1:])
    with pytest.raises(ValueError, match="8 tokens, and no vocabulary.json or vocabulary.txt beside it"):
        read_whisper(arrays, "x.bin")


def test_what_lies_beside_the_file(tmp_path):
    assert read_vocabulary(tmp_path) is None and read_alignment_heads(tmp_path) is None
    (tmp_path / "vocabulary.txt").write_text("a\n\u2028b\n", encoding="utf-8")
    assert read_vocabulary(tmp_path) == ["a", "\u2028b"]
    (tmp_path / "vocabulary.json").write_text(json.dumps(["a", "c"]))
    assert read_vocabulary(tmp_path) == ["a", "c"]
    (tmp_path / "config.json").write_text('{"alignment_heads": [[3, 1]]}')
    assert read_alignment_heads(tmp_path) == [[3, 1]]
    (tmp_path / "config.json").write_text('{"alignment_heads": [[3, "1"]]}')
    with pytest.raises(ValueError, match="config.json: alignment_heads are no pairs of numbers"):
        read_alignment_heads(tmp_path)
    (tmp_path / "config.json").write_text("[1]")
    assert read_alignment_heads(tmp_path) is None
    (tmp_path / "config.json").write_text('{"alignment_heads": 5}')
    with pytest.raises(ValueError, match="config.json: alignment_heads are no pairs of numbers"):
        read_alignment_heads(tmp_path)
    for damaged in (b"{", b'{"a": 1}', b"[1]", b"[" * 100_000, b"\xff"):
        (tmp_path / "vocabulary.json").write_bytes(damaged)
        with pytest.raises(ValueError, match="vocabulary.json: ") as raised:
            read_vocabulary(tmp_path)
        assert "\n" not in str(raised.value)
    (tmp_path / "vocabulary.json").unlink()
    (tmp_path / "vocabulary.txt").write_bytes(b"a\n\xff")
    with pytest.raises(ValueError, match="vocabulary.txt: damaged, no text of at most 16 MB; fetch it again"):
        read_vocabulary(tmp_path)
