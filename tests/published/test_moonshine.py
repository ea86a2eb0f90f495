"""Imported Moonshine encoders: the numbers of the published model; what isn't one is refused."""

import numpy as np
import pytest
import yaml

from speechzoo.backbones import BACKBONES
from speechzoo.frontends import FRONTENDS
from speechzoo.layers.transformer import normalize_channels
from speechzoo.published.importing import import_published
from speechzoo.published.moonshine import is_moonshine, read_moonshine
from speechzoo.published.sources import Source
from speechzoo.weights import read_arrays
from tests.published.numpy_whisper import gelu
from tests.published.tiny_moonshine import NUM_BLOCKS, NUM_HEADS, ROTARY, SIZE, arrays, config, write_moonshine
from tests.published.tiny_wav2vec2 import babble

# As a share of the greatest value: rounding, ten times what was observed (9.7e-7).
TOLERANCE = 1e-5


def encode(published, audio) -> list[np.ndarray]:
    """What each block gives (frames, channels), the last behind the encoder's norm, in plain NumPy and float64."""
    found = {name.removeprefix("model.encoder."): array.astype(np.float64) for name, array in published.items()}

    def convolve(name, inputs, stride):
        windows = np.lib.stride_tricks.sliding_window_view(inputs, found[f"{name}.weight"].shape[2], axis=0)[::stride]
        return np.einsum("fiw,oiw->fo", windows, found[f"{name}.weight"]) + found.get(f"{name}.bias", 0)

    def normal(inputs, axis):
        centred = inputs - inputs.mean(axis, keepdims=True)
        return centred / np.sqrt(np.square(centred).mean(axis, keepdims=True) + 1e-5)

    hidden = np.tanh(convolve("conv1", audio.astype(np.float64)[:, None], 64))
    hidden = normal(hidden, (0, 1)) * found["groupnorm.weight"] + found["groupnorm.bias"]
    hidden = gelu(convolve("conv3", gelu(convolve("conv2", hidden, 3)), 2))
    angles = np.arange(len(hidden))[:, None] * 10000.0 ** (-np.arange(0, ROTARY, 2) / ROTARY)

    def turn(head):
        """Each pair of neighbours is a number of the plane, which turns."""
        turned = (head[:, 0:ROTARY:2] + 1j * head[:, 1:ROTARY:2]) * np.exp(1j * angles)
        return np.concatenate([np.stack([turned.real, turned.imag], axis=-1).reshape(len(head), ROTARY),
                               head[:, ROTARY:]], axis=1)

    blocks = []
    for block in range(NUM_BLOCKS):
        layer = f"layers.{block}"
        inputs, contexts = normal(hidden, -1) * found[f"{layer}.input_layernorm.weight"], []
        parts = [np.split(inputs @ found[f"{layer}.self_attn.{part}_proj.weight"].T, NUM_HEADS, axis=1)
                 for part in "qkv"]
        for query, key, value in zip(*parts):
            weights = np.exp(turn(query) @ turn(key).T / np.sqrt(SIZE // NUM_HEADS))
            contexts.append(weights / weights.sum(1, keepdims=True) @ value)
        hidden = hidden + np.concatenate(contexts, axis=1) @ found[f"{layer}.self_attn.o_proj.weight"].T
        inputs = normal(hidden, -1) * found[f"{layer}.post_attention_layernorm.weight"]
        inner = gelu(inputs @ found[f"{layer}.mlp.fc1.weight"].T + found[f"{layer}.mlp.fc1.bias"])
        hidden = hidden + inner @ found[f"{layer}.mlp.fc2.weight"].T + found[f"{layer}.mlp.fc2.bias"]
        blocks.append(hidden)
    blocks[-1] = normal(hidden, -1) * found["layer_norm.weight"]
    return blocks


def built(folder):
    """Front end and backbone of an imported folder, with its weights."""
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    frontend, backbone = (registry[settings[part].pop("type")](**settings[part], name=part)
                          for registry, part in ((FRONTENDS, "frontend"), (BACKBONES, "backbone")))
    backbone.build((None, None, frontend.num_features))
    weights = read_arrays(folder / "model.weights.h5")
    assert sorted(weights) == sorted(weight.path for weight in backbone.weights)
    for weight in backbone.weights:
        weight.assign(weights[weight.path])
    return frontend, backbone


def difference(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("moonshine")
    report = import_published(write_moonshine(folder / "published"), folder / "imported")
    assert (report.architecture, report.heads, list(report.left_out)) == (
        "moonshine", [], ["model.decoder.norm.weight"])
    return built(folder / "imported")


@pytest.mark.parametrize("samples", [895, 16000, 16063])
def test_every_block_is_that_of_the_published_encoder(imported, samples):
    frontend, backbone = imported
    audio = babble(2.0, seed=samples)[:samples]
    expected = encode(arrays(), audio)
    frames, lengths = backbone(*frontend(audio[None], np.array([samples], np.int32)))
    assert np.asarray(lengths).tolist() == [len(expected[0])]
    for frame, block in zip(frames[:-1], expected):
        assert difference(frame[0], normalize_channels(block)) < TOLERANCE
    assert difference(frames[-1][0], expected[-1]) < TOLERANCE


def test_padding_changes_nothing(imported):
    frontend, backbone = imported
    lengths = [16063, 7001, 900]
    batch = np.stack([np.pad(babble(1.1, length)[:length], (0, 17000 - length)) for length in lengths])
    frames, _ = backbone(*frontend(batch, np.array(lengths, np.int32)))
    for row, length in enumerate(lengths):
        expected = encode(arrays(), batch[row, :length])[-1]
        assert difference(frames[-1][row, :len(expected)], expected) < TOLERANCE


@pytest.mark.parametrize("changes, message", [
    ({"model_type": "whisper"}, "no config.json beside it that says model_type: moonshine"),
    ({"encoder_hidden_act": "silu"}, "config.json says encoder_hidden_act: silu"),
    ({"attention_bias": True}, "config.json says attention_bias: True"),
    ({"encoder_num_attention_heads": 3}, "config.json says encoder_num_attention_heads: 3, which don't divide 16"),
    ({"encoder_num_key_value_heads": 1}, "config.json says encoder_num_key_value_heads: 1"),
    ({"rope_parameters": {"rope_theta": 500.0}}, "config.json says rope_parameters: {'rope_theta': 500.0}"),
    ({"rope_parameters": {"rope_type": "yarn"}}, "config.json says rope_parameters: {'rope_type': 'yarn'}"),
    ({"rope_parameters": {"partial_rotary_factor": 2}}, "config.json says partial_rotary_factor: 2"),
    ({"rope_parameters": None, "partial_rotary_factor": 0.65}, "config.json says partial_rotary_factor: 0.65"),
])
def test_other_settings_are_one_line(changes, message, tmp_path):
    with pytest.raises(ValueError) as raised:
        read_moonshine(arrays(), Source(tmp_path / "model.safetensors", "x", "x", config(**changes)))
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_what_is_missing_or_unknown_is_named(tmp_path):
    source = Source(tmp_path / "model.safetensors", "x", "x", config())
    published = arrays()
    assert is_moonshine(published) and not is_moonshine({"model.encoder.conv1.weight": 0})
    whole = read_moonshine(published, source)
    assert sorted([*whole.used, *whole.left_out]) == sorted(published) and len({*whole.used}) == len(whole.used)
    assert whole.backbone == {"type": "moonshine", "size": SIZE, "num_blocks": 2, "num_heads": 2, "rotary_size": ROTARY,
                              "feed_forward_size": 24}
    missing = {name: array for name, array in published.items() if name != "model.encoder.layers.1.mlp.fc2.bias"}
    more = published | {"more": np.zeros(1)}
    for changed, message in ((missing, "has no 'model.encoder.layers.1.mlp.fc2.bias'"),
                             (more, "1 arrays that Moonshine doesn't have, such as 'more'")):
        with pytest.raises(ValueError, match=message):
            read_moonshine(changed, source)
