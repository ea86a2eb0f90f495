"""Conformer models with random weights as ESPnet names and writes them."""

from pathlib import Path

import numpy as np
import yaml

from tests.published.tiny_torch import zip_checkpoint

TOKENS = ["<blank>", "<unk>", "\u2581THE", "E", "\u2581", "S", "T", "'", "<sos/eos>"]
SIZE, NUM_BLOCKS, NUM_HEADS, INNER, KERNEL_SIZE, BINS = 16, 3, 2, 24, 5, 80
DECODER_BLOCKS, DECODER_HEADS = 2, 4


def espnet_config(frontend=(), normalize="global_mvn") -> dict:
    """`config.yaml` of a training, as far as a reader may look."""
    return {
        "max_epoch": 50, "accum_grad": 4, "token_list": TOKENS, "token_type": "bpe", "init": None, "input_size": None,
        "ctc_conf": {"dropout_rate": 0.0, "ctc_type": "builtin", "reduce": True}, "frontend": "default",
        "frontend_conf": {"n_fft": 512, "win_length": 400, "hop_length": 160, "fs": "16k", **dict(frontend)},
        "specaug": "specaug", "normalize": normalize,
        "normalize_conf": {"stats_file": "exp/stats/feats_stats.npz"} if normalize == "global_mvn" else {},
        "model": "espnet", "model_conf": {"ctc_weight": 0.3, "lsm_weight": 0.1}, "preencoder": None,
        "encoder": "conformer",
        "encoder_conf": {"output_size": SIZE, "attention_heads": NUM_HEADS, "linear_units": INNER,
                         "num_blocks": NUM_BLOCKS, "dropout_rate": 0.1, "input_layer": "conv2d",
                         "normalize_before": True, "macaron_style": True, "rel_pos_type": "latest",
                         "pos_enc_layer_type": "rel_pos", "selfattention_layer_type": "rel_selfattn",
                         "activation_type": "swish", "use_cnn_module": True, "cnn_module_kernel": KERNEL_SIZE},
        "postencoder": None, "decoder": "transformer",
        "decoder_conf": {"attention_heads": DECODER_HEADS, "linear_units": INNER, "num_blocks": DECODER_BLOCKS,
                         "dropout_rate": 0.1}}


def espnet_arrays(config: dict, seed: int = 0) -> dict[str, np.ndarray]:
    """The state of the model, with random numbers that keep the size of what passes."""
    random, found = np.random.default_rng(seed), {}

    def layer(name, *shape, bias=True):
        found[f"{name}.weight"] = random.standard_normal(shape) / np.prod(shape[1:]) ** 0.5
        if bias:
            found[f"{name}.bias"] = 0.2 * random.standard_normal(shape[0])

    def norm(name):
        found[f"{name}.weight"], found[f"{name}.bias"] = (mean + 0.2 * random.standard_normal(SIZE) for mean in (1, 0))

    found["frontend.logmel.melmat"] = np.zeros((257, BINS))
    if config["normalize"] == "global_mvn":
        found["normalize.mean"] = random.uniform(-12, -6, BINS)
        found["normalize.std"] = random.uniform(2, 4, BINS)
    layer("encoder.embed.conv.0", SIZE, 1, 3, 3)
    layer("encoder.embed.conv.2", SIZE, SIZE, 3, 3)
    layer("encoder.embed.out.0", SIZE, SIZE * 19)
    for number in range(NUM_BLOCKS):
        block = f"encoder.encoders.{number}"
        for part in ("ff", "mha", "ff_macaron", "conv", "final"):
            norm(f"{block}.norm_{part}")
        for part in ("feed_forward", "feed_forward_macaron"):
            layer(f"{block}.{part}.w_1", INNER, SIZE)
            layer(f"{block}.{part}.w_2", SIZE, INNER)
        for part in "q", "k", "v", "out":
            layer(f"{block}.self_attn.linear_{part}", SIZE, SIZE)
        layer(f"{block}.self_attn.linear_pos", SIZE, SIZE, bias=False)
        for part in "uv":
            found[f"{block}.self_attn.pos_bias_{part}"] = 0.2 * random.standard_normal((NUM_HEADS, SIZE // NUM_HEADS))
        layer(f"{block}.conv_module.pointwise_conv1", 2 * SIZE, SIZE, 1)
        layer(f"{block}.conv_module.depthwise_conv", SIZE, 1, KERNEL_SIZE)
        layer(f"{block}.conv_module.pointwise_conv2", SIZE, SIZE, 1)
        norm(f"{block}.conv_module.norm")
        found[f"{block}.conv_module.norm.running_mean"] = 0.2 * random.standard_normal(SIZE)
        found[f"{block}.conv_module.norm.running_var"] = random.uniform(0.5, 2.0, SIZE)
        found[f"{block}.conv_module.norm.num_batches_tracked"] = np.array(7)
    norm("encoder.after_norm")
    layer("decoder.embed.0", len(TOKENS), SIZE, bias=False)
    for number in range(DECODER_BLOCKS):
        block = f"decoder.decoders.{number}"
        for part in ("self_attn", "src_attn"):
            for name in ("q", "k", "v", "out"):
                layer(f"{block}.{part}.linear_{name}", SIZE, SIZE)
        layer(f"{block}.feed_forward.w_1", INNER, SIZE)
        layer(f"{block}.feed_forward.w_2", SIZE, INNER)
        for part in (1, 2, 3):
            norm(f"{block}.norm{part}")
    norm("decoder.after_norm")
    layer("decoder.output_layer", len(TOKENS), SIZE)
    layer("ctc.ctc_lo", len(TOKENS), SIZE)
    found["ctc.ctc_lo.weight"] *= 3  # spread, so that every token wins somewhere
    return {name: array.astype("<i8" if name.endswith("tracked") else "<f4") for name, array in found.items()}


def write_espnet(folder: Path, config: dict, arrays: dict[str, np.ndarray]) -> Path:
    """`valid.acc.ave.pth`, with `config.yaml` beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    path = folder / "valid.acc.ave.pth"
    path.write_bytes(zip_checkpoint(arrays))
    return path
