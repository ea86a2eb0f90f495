"""Whisper under the names of transformers and of OpenAI is the same Whisper; tests/parity/ has their own files."""

import numpy as np
import pytest

from speechzoo.published.ctranslate2 import CTranslate2File
from speechzoo.published.whisper_names import WhisperNames, is_openai, is_whisper
from tests.published.tiny_whisper import COMMITTED
from tests.published.whisper_twins import NUM_HEADS, openai_names, transformers_names

HEADS = {"encoder": NUM_HEADS, "decoder": NUM_HEADS}


@pytest.fixture(scope="module")
def arrays():
    arrays = dict(CTranslate2File(COMMITTED))
    for name in arrays:
        if name.endswith("/attention/linear_1/bias"):  # of keys and values; keys have none elsewhere
            arrays[name] = np.concatenate([np.zeros_like(arrays[name][:16]), arrays[name][16:]])
    return arrays


def without_prefix(arrays):
    return {name.removeprefix("model."): array for name, array in transformers_names(arrays).items()}


def with_prefix(arrays):
    return {f"model_state_dict.{name}": array for name, array in openai_names(arrays).items()}


@pytest.mark.parametrize("rename", [transformers_names, without_prefix, openai_names, with_prefix])
def test_every_array_is_the_same_and_used(rename, arrays):
    theirs = rename(arrays)
    names = WhisperNames(theirs, HEADS, "x")
    assert len(names) == len(list(names)) and names["decoder/num_heads"] == NUM_HEADS
    assert {name for name in arrays if np.ndim(arrays[name])} == {name for name in names if np.ndim(names[name])}
    for name in names:  # newer converters write two numbers more, of models that Whisper is not
        np.testing.assert_array_equal(names[name], arrays[name], err_msg=name)
        assert np.ndim(arrays[name]) == 0 or names[name].dtype == arrays[name].dtype
    assert is_whisper(theirs) and is_openai(theirs) == (rename in (openai_names, with_prefix))
    used = [source for name, sources in names.sources.items() for source in sources
            if name != "decoder/projection/weight"]
    assert sorted(used) == sorted(theirs)


def test_an_encoder_alone(arrays):
    theirs = {name: array for name, array in transformers_names(arrays).items() if name.startswith("model.encoder.")}
    names = WhisperNames(theirs, HEADS, "x")
    assert sorted(names) == sorted(name for name in arrays if name.startswith("encoder/"))


def test_a_projection_that_is_written_a_second_time(arrays):
    theirs = transformers_names(arrays) | {"proj_out.weight": arrays["decoder/embeddings/weight"] + 1}
    np.testing.assert_array_equal(WhisperNames(theirs, HEADS, "x")["decoder/projection/weight"],
                                  arrays["decoder/embeddings/weight"] + 1)


@pytest.mark.parametrize("rename", [transformers_names, openai_names])
def test_what_is_missing_or_unknown_is_named(rename, arrays):
    theirs = rename(arrays)
    first = next(iter(theirs))
    for name in list(theirs)[1:]:
        # Without all of the last block there is one block less, which no name tells.
        with pytest.raises(ValueError, match=f"^x: has no '{name.replace('.', '[.]')}'"):
            WhisperNames({key: array for key, array in theirs.items() if key != name}, HEADS, "x")
    with pytest.raises(ValueError, match="^x: 1 arrays that Whisper doesn't have, such as 'encoder.more'"):
        WhisperNames(theirs | {"encoder.more": np.zeros(1)}, HEADS, "x")
    assert not is_whisper({first[::-1]: 0})
