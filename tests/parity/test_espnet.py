"""Imported ESPnet Conformers against PyTorch: same weights, same features, blocks and text.

transformers' Parakeet encoder has the same blocks, and PyTorch's own Transformer those of the decoder; the rest is
written out here after `Conv2dSubsampling`, `DefaultFrontend`, `GlobalMVN` and `TransformerDecoder` of espnet2. (Its own
package wants another NumPy than TensorFlow 2.17.)
"""

import librosa
import numpy as np
import pytest

from speechzoo.decoding.ctc.greedy import best_path
from speechzoo.exporters.recordings import bundled_recordings
from speechzoo.layers.decoder import DecoderBlock
from speechzoo.published.importing import import_published
from speechzoo.registry import load
from tests.published.tiny_espnet import (DECODER_BLOCKS, DECODER_HEADS, INNER, KERNEL_SIZE, NUM_BLOCKS, NUM_HEADS, SIZE,
                                         TOKENS, espnet_arrays, espnet_config, write_espnet)

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="no PyTorch: pip install speechzoo[parity]")
transformers = pytest.importorskip("transformers", reason="no transformers: pip install speechzoo[parity]")

# Shares of the greatest value; ten times what was observed.
TOLERANCES = {"features": 1.5e-4, "blocks": 6.6e-6, "logits": 9.3e-6, "from the waveform": 1.7e-5,
              "decoder blocks": 3.6e-6, "decoder logits": 5.2e-6}
LENGTH = 30  # tokens of a text
# transformers' part of a name -> ESPnet's.
NAMES = {"layers": "encoders", "subsampling.conv": "embed.conv", "subsampling.linear": "embed.out.0",
         "feed_forward1.linear": "feed_forward_macaron.w_", "feed_forward2.linear": "feed_forward.w_",
         "norm_feed_forward1": "norm_ff_macaron", "norm_feed_forward2": "norm_ff", "norm_self_att": "norm_mha",
         "norm_out": "norm_final", "self_attn.relative_k_proj": "self_attn.linear_pos",
         "self_attn.o_proj": "self_attn.linear_out", "self_attn.bias_": "self_attn.pos_bias_",
         **{f"self_attn.{part}_proj": f"self_attn.linear_{part}" for part in "qkv"}, ".conv.": ".conv_module."}


class UnpaddedSubsampling(torch.nn.Module):
    """Two convolutions of stride 2 without padding, each with a ReLU, and a linear layer over (channels, bins)."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Sequential(torch.nn.Conv2d(1, SIZE, 3, 2), torch.nn.ReLU(),
                                        torch.nn.Conv2d(SIZE, SIZE, 3, 2), torch.nn.ReLU())
        self.linear = torch.nn.Linear(19 * SIZE, SIZE)

    def forward(self, features, attention_mask=None):
        return self.linear(self.conv(features[:, None]).transpose(1, 2).flatten(2))


def make_encoder(arrays):
    """transformers' encoder with the arrays of an ESPnet model, up to the normalisation behind its blocks."""
    encoder = transformers.ParakeetEncoder(transformers.ParakeetEncoderConfig(
        hidden_size=SIZE, num_hidden_layers=NUM_BLOCKS, num_attention_heads=NUM_HEADS, intermediate_size=INNER,
        conv_kernel_size=KERNEL_SIZE, subsampling_factor=4)).eval()
    encoder.subsampling = UnpaddedSubsampling()
    for module in encoder.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-12
    state = {}
    for name in encoder.state_dict():
        theirs = name
        for ours, espnet in NAMES.items():
            if not (ours == ".conv." and theirs.startswith("embed")):
                theirs = theirs.replace(ours, espnet)
        state[name] = torch.tensor(arrays[f"encoder.{theirs}"])
    encoder.load_state_dict(state)
    return encoder


def make_decoder(arrays):
    """PyTorch's Transformer decoder with the arrays of an ESPnet model: blocks, and what stands behind them."""
    layers = torch.nn.ModuleList(torch.nn.TransformerDecoderLayer(
        SIZE, DECODER_HEADS, INNER, dropout=0.0, activation="relu", layer_norm_eps=1e-12, batch_first=True,
        norm_first=True) for _ in range(DECODER_BLOCKS)).eval()
    parts = {"self_attn": "self_attn", "multihead_attn": "src_attn"}
    for number, layer in enumerate(layers):
        state, name = {}, f"decoder.decoders.{number}"
        for kind in ("weight", "bias"):
            for theirs, espnet in parts.items():
                joined = np.concatenate([arrays[f"{name}.{espnet}.linear_{part}.{kind}"] for part in "qkv"])
                state[f"{theirs}.in_proj_{kind}"] = torch.tensor(joined)
                state[f"{theirs}.out_proj.{kind}"] = torch.tensor(arrays[f"{name}.{espnet}.linear_out.{kind}"])
            for part in (1, 2):
                state[f"linear{part}.{kind}"] = torch.tensor(arrays[f"{name}.feed_forward.w_{part}.{kind}"])
            for part in (1, 2, 3):
                state[f"norm{part}.{kind}"] = torch.tensor(arrays[f"{name}.norm{part}.{kind}"])
        layer.load_state_dict(state)
    return layers


def decode(layers, arrays, tokens, frames):
    """What each block gives, (1, tokens, size), and the logits (1, tokens, vocabulary)."""
    angle = np.arange(len(tokens))[:, None] / 10000.0 ** (np.arange(0, SIZE, 2) / SIZE)
    positions = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(len(tokens), SIZE)
    hidden = torch.tensor(arrays["decoder.embed.0.weight"][tokens] * SIZE ** 0.5 + positions, dtype=torch.float32)[None]
    unseen = torch.nn.Transformer.generate_square_subsequent_mask(len(tokens))
    blocks = []
    with torch.no_grad():
        for layer in layers:
            hidden = layer(hidden, torch.tensor(frames), tgt_mask=unseen)
            blocks.append(hidden.numpy())
        after = [torch.tensor(arrays[f"decoder.after_norm.{part}"]) for part in ("weight", "bias")]
        normalized = torch.nn.functional.layer_norm(hidden, (SIZE,), *after, eps=1e-12).numpy()
    return blocks, normalized @ arrays["decoder.output_layer.weight"].T + arrays["decoder.output_layer.bias"]


def features_of(recording, arrays):
    """(frames, bins), computed in float64: an FFT in float32 is further off than matrices where it is nearly silent."""
    window = torch.hann_window(400, dtype=torch.float64)
    spectrum = torch.stft(torch.tensor(recording, dtype=torch.float64), 512, 160, 400, window, center=True,
                          pad_mode="reflect", return_complex=True).abs() ** 2
    filters = torch.tensor(librosa.filters.mel(sr=16000, n_fft=512, n_mels=80, fmin=0, fmax=8000, dtype=np.float64))
    energies = torch.log(torch.clamp(filters @ spectrum, min=1e-10)).T
    features = (energies - torch.tensor(arrays["normalize.mean"])) / torch.tensor(arrays["normalize.std"])
    return features.to(torch.float32)


def share(got, expected):
    """Greatest difference as a share of the greatest value."""
    assert got.shape == expected.shape
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def compare_decoders(ours, arrays, frames):
    """The greedy text of PyTorch's decoder, token by token, and by it ours, at once and step by step."""
    layers, head, end = make_decoder(arrays), ours.heads["transcript"], len(TOKENS) - 1
    tokens = [end]
    for _ in range(LENGTH):  # written on behind its end, too
        tokens.append(int(decode(layers, arrays, tokens, frames)[1][0, -1].argmax()))
    assert len(set(tokens)) > 2
    blocks, logits = decode(layers, arrays, tokens, frames)
    memory = np.asarray(head(frames))
    given, whole_call = [], DecoderBlock.call

    def call(block, *inputs, **options):
        given.append(np.asarray(whole_call(block, *inputs, **options)))
        return given[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DecoderBlock, "call", call)
        ours_at_once, found = np.asarray(head.decode(np.array([tokens], np.int32), memory)), []
    step, state, written = ours.decode_steps["transcript"], None, [end]
    for position in range(len(tokens)):
        of_next, state, _ = step(np.array(written[position:position + 1]), position, memory[0], state)
        found.append(of_next[0])
        written.append(int(of_next[0].argmax()))
    assert written[:len(tokens)] == tokens
    return {"decoder blocks": max(share(one, other) for one, other in zip(given, blocks, strict=True)),
            "decoder logits": max(share(ours_at_once, logits), share(np.array(found)[None], logits))}


def test_equals_transformers(tmp_path):
    config = espnet_config()
    arrays = espnet_arrays(config)
    import_published(write_espnet(tmp_path / "exp", config, arrays), tmp_path / "imported")
    ours, encoder = load(tmp_path / "imported"), make_encoder(arrays)
    norm = [torch.tensor(arrays[f"encoder.after_norm.{part}"]) for part in ("weight", "bias")]
    recordings = sorted(bundled_recordings(16000), key=len)[-2:]
    outputs = [output["ctc"] for output in ours.batch_outputs(recordings)]
    observed = dict.fromkeys(TOLERANCES, 0.0)
    for recording, output in zip(recordings, outputs):
        features = features_of(recording, arrays)
        our_features, _ = ours.frontend(recording[None])
        blocks = []
        hooks = [layer.register_forward_hook(lambda _, __, output: blocks.append(output)) for layer in encoder.layers]
        with torch.no_grad():
            last = encoder(features[None]).last_hidden_state
            normalized = torch.nn.functional.layer_norm(last, (SIZE,), *norm, eps=1e-12)
        for hook in hooks:
            hook.remove()
        expected = [(block[0] if isinstance(block, tuple) else block).numpy() for block in blocks]
        expected[-1] = normalized.numpy()
        logits = normalized.numpy()[0] @ arrays["ctc.ctc_lo.weight"].T + arrays["ctc.ctc_lo.bias"]
        our_blocks, _ = ours.backbone(features.numpy()[None])
        found = {"features": share(np.asarray(our_features)[0], features.numpy()),
                 "blocks": max(share(np.asarray(one), other) for one, other in zip(our_blocks, expected, strict=True)),
                 "logits": share(np.asarray(ours.heads["ctc"](our_blocks[-1]))[0], logits),
                 "from the waveform": share(output[:len(logits)], logits),
                 **compare_decoders(ours, arrays, normalized.numpy())}
        observed = {part: max(value, found[part]) for part, value in observed.items()}
        # What stands behind a recording in a batch is padding.
        assert np.all(output[len(logits):, 0] == 0)
        pieces = [TOKENS[index] for index in best_path(logits)[0]]
        text = "".join(piece for piece in pieces if not piece.startswith("<")).replace("\u2581", " ").lower()
        assert ours.recognize(recording, heads=["ctc"]).transcript == " ".join(text.split()) != ""
    print({part: f"{value:.1e}" for part, value in observed.items()})  # shown by pytest -s
    assert all(observed[part] < TOLERANCES[part] for part in TOLERANCES)
