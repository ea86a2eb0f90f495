"""A Whisper model in CTranslate2's format -> weights of the backbone `whisper` and of a head `seq2seq`.

Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 2.2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

SPECIFICATION, REVISION = "WhisperSpec", 3
_BLOCK = re.compile(r"encoder/layer_([0-9]+)/")
# float16 keeps the sines to 2.5e-4; what is further away is no such table.
_POSITION_TOLERANCE = 1e-3


@dataclass
class WhisperEncoder:
    """What a Whisper file gives: its encoder, and the decoder where it was asked for.

    Attributes:
        weights: Keras path in a model with the backbone `whisper` -> float32 array.
        frontend: The front end as a zoo config has it: type and options.
        backbone: The backbone as a zoo config has it.
        heads: The heads as a zoo config has them: the decoder's, or none.
        kind: What kind of model it is, for people.
        used: Names of the file's arrays that the weights come from, each once.
        left_out: Name of every other array -> why it is left out.
    """

    weights: dict[str, np.ndarray]
    frontend: dict
    backbone: dict
    used: list[str]
    left_out: dict[str, str]
    heads: dict = field(default_factory=dict)
    kind: str = "Whisper"


def read_encoder(arrays: Mapping[str, np.ndarray], source: str) -> WhisperEncoder:
    """The encoder of a Whisper model, without the decoder.

    Args:
        arrays: Name of CTranslate2's -> array, such as a `CTranslate2File`.
        source: Names the file in messages.

    Raises:
        ValueError: An array that is missing, unknown, of another shape or type than an encoder has, or not finite.
    """
    taker = Taker(arrays, source)
    frontend, backbone = take_encoder(taker, arrays, source)
    for name in arrays:
        if name.startswith("decoder/"):
            taker.left_out[name] = "decoder: the encoder was asked for"
    taker.check_nothing_left()
    return WhisperEncoder(taker.weights, frontend, backbone, taker.used, taker.left_out)


def take_encoder(taker: "Taker", arrays: Mapping[str, np.ndarray], source: str) -> tuple[dict, dict]:
    """Takes the encoder's arrays, and gives front end and backbone as a zoo config has them; errors as above."""
    size, num_mel_bins = taker.sizes("encoder/conv1/weight", 3)[:2]
    num_heads = taker.whole_number("encoder/num_heads")
    if num_heads < 1 or size % num_heads or size % 2 or size < 4:
        raise ValueError(f"{source}: {num_heads} heads and a size of {size}, which they must divide evenly; it is "
                         "damaged, fetch it again")
    num_blocks = len({match[1] for name in arrays if (match := _BLOCK.match(name))})
    if not num_blocks:
        raise ValueError(f"{source}: an encoder without a block; only files of OpenAI's architecture can be imported")
    _take_convolution(taker, "encoder/conv1", "backbone/convolution_1", num_mel_bins, size)
    _take_convolution(taker, "encoder/conv2", "backbone/convolution_2", size, size)
    for block in range(num_blocks):
        _take_block(taker, f"encoder/layer_{block}", f"backbone/block_{block + 1}", size)
    take_norm(taker, "encoder/layer_norm", "backbone/norm", size)
    _leave_positions_out(taker, "encoder/position_encodings/encodings", size)
    # The reference's front end has 80 mel bins, that of its third large model 128.
    frontend = {"type": "whisper_log_mel"} | ({"num_mel_bins": num_mel_bins} if num_mel_bins != 80 else {})
    return frontend, {"type": "whisper", "size": size, "num_blocks": num_blocks, "num_heads": num_heads}


class Taker:
    """Takes arrays out of a file, each once, and keeps what they become."""

    architecture = "Whisper"
    remedy = "only files of OpenAI's architecture can be imported"

    def __init__(self, arrays, source):
        self._arrays, self._source = arrays, source
        self.weights, self.used, self.left_out = {}, [], {}

    def sizes(self, name, rank):
        """The shape of an array that must have `rank` axes."""
        shape = self._array(name).shape
        if len(shape) != rank or 0 in shape:
            raise self.unfit(name, f"has the shape {list(shape)}, where {rank} axes were expected")
        return shape

    def whole_number(self, name):
        array = self._array(name)
        if array.shape != () or array.dtype.kind != "i":
            raise self.unfit(name, "is no whole number")
        self.used.append(name)
        return int(array)

    def take(self, name, shape):
        """float32 array of one name, which counts as used."""
        array = self._array(name)
        if array.dtype.kind != "f":
            raise ValueError(f"{self._source}: '{name}' is quantised to {array.dtype.name}, which lost what training "
                             "needs; take a file that was converted with --quantization float16 or float32")
        if array.shape != shape:
            raise self.unfit(name, f"has the shape {list(array.shape)}, where {list(shape)} was expected")
        if not np.isfinite(array).all():
            raise ValueError(f"{self._source}: '{name}' holds numbers that are not finite; the file is damaged, fetch "
                             "it again")
        self.used.append(name)
        return array.astype(np.float32)

    def check_nothing_left(self):
        done = {*self.used, *self.left_out}
        unknown = [name for name in self._arrays if name not in done]
        if unknown:
            raise ValueError(f"{self._source}: {len(unknown)} arrays that {self.architecture} doesn't have, such as "
                             f"'{unknown[0][:80]}'; {self.remedy}")

    def _array(self, name):
        if name not in self._arrays:
            raise ValueError(f"{self._source}: has no '{name}'; {self.remedy}")
        return self._arrays[name]

    def unfit(self, name, problem):
        """The error that an array is not what an encoder has."""
        return ValueError(f"{self._source}: '{name}' {problem}; {self.remedy}")


def _take_convolution(taker, name, path, channels_in, channels_out):
    # (out, in, kernel) there, (kernel, in, out) in Keras.
    taker.weights[f"{path}/kernel"] = taker.take(f"{name}/weight", (channels_out, channels_in, 3)).transpose(2, 1, 0)
    taker.weights[f"{path}/bias"] = taker.take(f"{name}/bias", (channels_out,))


def _take_block(taker, name, path, size):
    take_norm(taker, f"{name}/self_attention/layer_norm", f"{path}/norm_attention", size)
    take_attention(taker, f"{name}/self_attention", f"{path}/attention", size)
    take_norm(taker, f"{name}/ffn/layer_norm", f"{path}/norm_feed_forward", size)
    take_dense(taker, f"{name}/ffn/linear_0", f"{path}/feed_forward/expand", size, 4 * size)
    take_dense(taker, f"{name}/ffn/linear_1", f"{path}/feed_forward/project", 4 * size, size)


def take_attention(taker, name, path, size):
    """Self-attention: queries, keys and values are one array there, and the keys have no bias."""
    kernels = taker.take(f"{name}/linear_0/weight", (3 * size, size)).reshape(3, size, size)
    biases = taker.take(f"{name}/linear_0/bias", (3 * size,)).reshape(3, size)
    if biases[1].any():
        # It would change nothing but the sum that softmax takes away; a file that has one is still another network.
        raise taker.unfit(f"{name}/linear_0/bias", "has a bias of the keys")
    for part, kernel in zip(("query", "key", "value"), kernels):
        taker.weights[f"{path}/{part}/kernel"] = kernel.T
    taker.weights[f"{path}/query/bias"], taker.weights[f"{path}/value/bias"] = biases[0], biases[2]
    take_dense(taker, f"{name}/linear_1", f"{path}/output", size, size)


def take_dense(taker, name, path, units_in, units_out):
    """A dense layer: (out, in) there, (in, out) in Keras."""
    taker.weights[f"{path}/kernel"] = taker.take(f"{name}/weight", (units_out, units_in)).T
    taker.weights[f"{path}/bias"] = taker.take(f"{name}/bias", (units_out,))


def take_norm(taker, name, path, size):
    """A layer normalisation."""
    for part in ("gamma", "beta"):
        taker.weights[f"{path}/{part}"] = taker.take(f"{name}/{part}", (size,))


def _leave_positions_out(taker, name, size):
    """Checks that the table of positions is the formula, which the backbone computes for any length."""
    length = taker.sizes(name, 2)[0]
    table = taker.take(name, (length, size))
    taker.used.remove(name)
    difference = float(np.abs(table - _sinusoids(length, size)).max())
    if not difference <= _POSITION_TOLERANCE:
        raise taker.unfit(name, f"differs from the sines of the positions by {difference:.2g}")
    taker.left_out[name] = "positions: the backbone computes these sines itself"


def _sinusoids(length: int, size: int) -> np.ndarray:
    """Whisper's table of positions, float32 (length, size): sines, then cosines (`sinusoids` of openai-whisper).

    Args:
        length: Frames.
        size: Channels, even and at least 4.
    """
    rates = np.exp(-np.log(10000) / (size // 2 - 1) * np.arange(size // 2))
    angles = np.arange(length)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
