"""Imported Conformer-CTC and FastConformer-CTC models against PyTorch: same weights, same features, blocks and text.

transformers has NeMo's features, blocks and depthwise subsampling (`ParakeetForCTC`); the full convolutions before them
are written out here after `ConvSubsampling` of nemo_toolkit (`striding`), with what stands in the padding masked, so
that a recording in a batch gives what it gives alone.
"""

import numpy as np
import pytest

from speechzoo.decoding.ctc.greedy import best_path
from speechzoo.exporters.recordings import bundled_recordings
from speechzoo.published.importing import import_published
from speechzoo.registry import load
from tests.published.tiny_nemo import FAST, FULL, nemo_arrays, nemo_config, write_nemo

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="no PyTorch: pip install speechzoo[parity]")
transformers = pytest.importorskip("transformers", reason="no transformers: pip install speechzoo[parity]")

# Shares of the greatest value; ten times what was observed.
TOLERANCES = {"features": 3.7e-5, "blocks": 9.2e-6, "logits": 1.1e-5, "from the waveform": 2.2e-5}
SIZES = {
    "full": FULL,
    "fast": FAST,
    "full, as small as published": {**FULL, "d_model": 176, "n_heads": 4, "conv_kernel_size": 31,
                                    "subsampling_conv_channels": 176},
    "fast, without scale and biases": {**FAST, "xscaling": False, "use_bias": False},
}


class FullSubsampling(torch.nn.Module):
    """Two convolutions of stride 2, each with a ReLU, and a linear layer over (channels, bins)."""

    def __init__(self, channels, size):
        super().__init__()
        self.layers = torch.nn.ModuleList([
            torch.nn.Conv2d(1, channels, 3, 2, 1), torch.nn.ReLU(),
            torch.nn.Conv2d(channels, channels, 3, 2, 1), torch.nn.ReLU()])
        self.linear = torch.nn.Linear(20 * channels, size)

    def forward(self, features, attention_mask):
        hidden, lengths = features[:, None], attention_mask.sum(-1)
        for layer in self.layers:
            hidden = layer(hidden)
            if isinstance(layer, torch.nn.Conv2d):
                lengths = (lengths - 1) // 2 + 1
                hidden = hidden * (torch.arange(hidden.shape[2]) < lengths[:, None])[:, None, :, None]
        return self.linear(hidden.transpose(1, 2).flatten(2))


def parakeet(config, arrays):
    """`ParakeetForCTC` with the arrays of a NeMo model."""
    encoder = config["encoder"]
    size, bias = encoder["d_model"], encoder.get("use_bias", True)
    outputs = len(config["decoder"]["vocabulary"]) + 1
    model = transformers.ParakeetForCTC(transformers.ParakeetCTCConfig(
        vocab_size=outputs, pad_token_id=outputs - 1, encoder_config=transformers.ParakeetEncoderConfig(
            hidden_size=size, num_hidden_layers=encoder["n_layers"], num_attention_heads=encoder["n_heads"],
            intermediate_size=encoder["ff_expansion_factor"] * size, conv_kernel_size=encoder["conv_kernel_size"],
            subsampling_factor=encoder["subsampling_factor"], attention_bias=bias, convolution_bias=bias,
            subsampling_conv_channels=encoder["subsampling_conv_channels"], scale_input=encoder["xscaling"]))).eval()
    if encoder["subsampling"] == "striding":
        model.encoder.subsampling = FullSubsampling(encoder["subsampling_conv_channels"], size)
    state = {}
    for name, array in arrays.items():
        for theirs, ours in (("pre_encode.conv", "subsampling.layers"), ("pre_encode.out", "subsampling.linear"),
                             ("batch_norm", "norm"), ("linear_pos", "relative_k_proj"), ("linear_out", "o_proj"),
                             *((f"linear_{part}", f"{part}_proj") for part in "qkv"), ("pos_bias_", "bias_"),
                             ("decoder.decoder_layers.0", "ctc_head")):
            if "feed_forward" not in name:
                name = name.replace(theirs, ours)
        if not name.startswith("preprocessor."):
            state[name] = torch.tensor(array)
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not missing and not unexpected
    return model


def expected_outputs(model, features, mask):
    """Each block's frames, and logits."""
    blocks = []
    hooks = [layer.register_forward_hook(lambda _, __, output: blocks.append(output)) for layer in model.encoder.layers]
    with torch.no_grad():
        logits = model(input_features=features, attention_mask=mask).logits.numpy()
    for hook in hooks:
        hook.remove()
    return [(block[0] if isinstance(block, tuple) else block).numpy() for block in blocks], logits


def blank_first(logits):
    """Their logits in our order."""
    return np.concatenate([logits[..., -1:], logits[..., :-1]], axis=-1)


def greatest_difference(got, expected, lengths):
    """Over the frames that are no padding, as a share of the greatest value."""
    rows = [(one[:length], other[:length]) for one, other, length in zip(got, expected, lengths, strict=True)]
    scale = max(np.abs(other).max() for _, other in rows)
    return max(np.abs(one - other).max() for one, other in rows) / scale


@pytest.mark.parametrize("name", SIZES)
def test_equals_transformers(name, tmp_path):
    config = nemo_config({"subsampling_conv_channels": 4, **SIZES[name]})
    arrays = nemo_arrays(config)
    import_published(write_nemo(tmp_path / "a.nemo", config, arrays), tmp_path / "imported")
    ours, twin = load(tmp_path / "imported"), parakeet(config, arrays)

    recordings = sorted(bundled_recordings(16000), key=len)[-2:]
    audio = np.zeros((2, len(recordings[1])), np.float32)
    for row, recording in zip(audio, recordings):
        row[:len(recording)] = recording
    lengths = np.array([len(recording) for recording in recordings], np.int32)
    inputs = transformers.ParakeetFeatureExtractor()(recordings, sampling_rate=16000, return_tensors="pt")
    features, mask = inputs["input_features"], inputs["attention_mask"]

    our_features, frames = ours.frontend(audio, lengths)
    frames = np.asarray(frames)
    observed = {"features": greatest_difference(np.asarray(our_features), features.numpy(), frames)}
    assert frames.tolist() == mask.sum(-1).tolist()
    # Each from the same features, and all of it from the waveform.
    blocks, logits = expected_outputs(twin, features, mask)
    our_blocks, out = ours.backbone(features.numpy()[:, :frames.max()], frames)
    out = np.asarray(out)
    observed["blocks"] = max(greatest_difference(np.asarray(one), other, out)
                             for one, other in zip(our_blocks, blocks, strict=True))
    our_logits = np.asarray(ours.heads["transcript"](our_blocks[-1], out))
    observed["logits"] = greatest_difference(our_logits, blank_first(logits), out)
    outputs = [output["transcript"] for output in ours.batch_outputs(recordings)]
    observed["from the waveform"] = greatest_difference(outputs, blank_first(logits), out)
    print(name, {part: f"{value:.1e}" for part, value in observed.items()})  # shown by pytest -s
    assert all(observed[part] < TOLERANCES[part] for part in TOLERANCES)

    vocabulary = config["decoder"]["vocabulary"]
    for row, (recording, length) in enumerate(zip(recordings, out)):
        path = best_path(blank_first(logits)[row, :length])[0]
        pieces = [vocabulary[index - 1] for index in path]
        expected = "".join(piece for piece in pieces if piece != "<unk>").replace("\u2581", " ")
        assert ours.recognize(recording).transcript == " ".join(expected.split()) != ""
        # Alone it gives what it gives in a batch.
        alone = ours.batch_outputs([recording])[0]["transcript"]
        assert greatest_difference([outputs[row]], [alone], [length]) < TOLERANCES["logits"]
