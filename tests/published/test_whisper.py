"""What becomes of each array of a Whisper file; that the values go to the right places, tests/parity/ shows."""

import numpy as np
import pytest

from speechzoo.published.ctranslate2 import CTranslate2File
from speechzoo.published.whisper import read_encoder
from tests.published.tiny_whisper import COMMITTED


@pytest.fixture
def arrays():
    return dict(CTranslate2File(COMMITTED))


def test_every_array_is_used_once_or_left_out_with_a_reason(arrays):
    encoder = read_encoder(arrays, "x.bin")
    assert sorted([*encoder.used, *encoder.left_out]) == sorted(arrays)
    assert {name.split("/")[0] for name in encoder.left_out} == {"encoder", "decoder"} and not encoder.heads
    assert [name for name in encoder.left_out if name.startswith("encoder")] == ["encoder/position_encodings/encodings"]
    # What is used becomes weights, but for the number of heads and the zeros that are no biases of keys.
    numbers = sum(arrays[name].size for name in encoder.used) - 1 - 2 * 16
    assert sum(weight.size for weight in encoder.weights.values()) == numbers


def test_the_config_is_read_off_the_shapes(arrays):
    encoder = read_encoder(arrays, "x.bin")
    assert encoder.frontend == {"type": "whisper_log_mel"}
    assert encoder.backbone == {"type": "whisper", "size": 16, "num_blocks": 2, "num_heads": 2}
    arrays["encoder/conv1/weight"] = np.zeros((16, 128, 3), np.float16)
    assert read_encoder(arrays, "x.bin").frontend == {"type": "whisper_log_mel", "num_mel_bins": 128}


def with_value(array, value):
    changed = np.array(array)
    changed.flat[-1] = value
    return changed


ATTENTION = "encoder/layer_1/self_attention"


@pytest.mark.parametrize("name, change, message", [
    ("encoder/conv2/weight", None, "has no 'encoder/conv2/weight'"),
    ("encoder/num_heads", None, "has no 'encoder/num_heads'"),
    ("encoder/num_heads", lambda array: np.int16(3), "3 heads and a size of 16"),
    ("encoder/num_heads", lambda array: np.int16(0), "0 heads and a size of 16"),
    ("encoder/num_heads", lambda array: np.zeros(2, np.int16), "'encoder/num_heads' is no whole number"),
    ("encoder/conv1/weight", lambda array: array[0], "'encoder/conv1/weight' has the shape .80, 3., where 3 axes"),
    ("encoder/conv1/weight", lambda array: array[..., :2], "has the shape .16, 80, 2., where .16, 80, 3."),
    ("encoder/layer_1/ffn/linear_0/weight", lambda array: array.astype(np.int8), "is quantised to int8"),
    ("encoder/layer_1/ffn/linear_0/bias", lambda array: with_value(array, np.nan), "bias' holds numbers that are not"),
    ("encoder/layer_norm/gamma", lambda array: with_value(array, np.inf), "gamma' holds numbers that are not finite"),
    (f"{ATTENTION}/linear_0/bias", lambda array: array + np.float16(1), "linear_0/bias' has a bias of the keys"),
    (f"{ATTENTION}/linear_0/weight", lambda array: array[:32], "has the shape .32, 16., where .48, 16."),
    ("encoder/position_encodings/encodings", lambda array: with_value(array, 0.5), "differs from the sines"),
    ("encoder/position_encodings/encodings", lambda array: with_value(array, np.nan), "not finite"),
    ("encoder/layer_5/ffn/linear_0/bias", lambda array: np.zeros(4, np.float16), "has no 'encoder/layer_2/"),
    ("encoder/extra", lambda array: np.zeros(4, np.float16), "1 arrays that Whisper doesn't have, such as "
                                                             "'encoder/extra'"),
    ("head/weight", lambda array: np.zeros(4, np.float16), "doesn't have, such as 'head/weight'"),
])
def test_what_is_unexpected_is_one_line(name, change, message, arrays):
    array = arrays.pop(name, None)
    if change:
        arrays[name] = change(array)
    with pytest.raises(ValueError, match=message) as raised:
        read_encoder(arrays, "x.bin")
    assert str(raised.value).startswith("x.bin: ") and "\n" not in str(raised.value)


def test_an_encoder_without_blocks_is_refused(arrays):
    arrays = {name: array for name, array in arrays.items() if "layer_0" not in name and "layer_1" not in name}
    with pytest.raises(ValueError, match="without a block"):
        read_encoder(arrays, "x.bin")
