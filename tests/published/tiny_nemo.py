"""Conformer-CTC models with random weights as NeMo names and writes them."""

import io
import tarfile
from pathlib import Path

import numpy as np
import yaml

from tests.published.tiny_torch import zip_checkpoint

VOCABULARY = ["<unk>", "e", "\u2581the", "s", "\u2581", "t", "\u2581no", "'"]
SIZE, NUM_BLOCKS, NUM_HEADS, CHANNELS, KERNEL_SIZE = 16, 3, 2, 4, 5
FULL, FAST = ({"subsampling": "striding", "subsampling_factor": 4},
              {"subsampling": "dw_striding", "subsampling_factor": 8})
"""What differs in the encoder's settings between the first Conformers and the fast one."""


def nemo_config(encoder=FULL, vocabulary=VOCABULARY) -> dict:
    """`model_config.yaml` of a model, training settings and all."""
    asr = "nemo.collections.asr."
    return {
        "sample_rate": 16000, "log_prediction": True, "train_ds": {"batch_size": 8, "shuffle": True},
        "preprocessor": {"_target_": asr + "modules.AudioToMelSpectrogramPreprocessor", "sample_rate": 16000,
                         "normalize": "per_feature", "window_size": 0.025, "window_stride": 0.01, "window": "hann",
                         "features": 80, "n_fft": 512, "log": True, "frame_splicing": 1, "dither": 1e-5, "pad_to": 0,
                         "pad_value": 0.0},
        "spec_augment": {"_target_": asr + "modules.SpectrogramAugmentation", "freq_masks": 2},
        "encoder": {"_target_": asr + "modules.ConformerEncoder", "feat_in": 80, "feat_out": -1,
                    "n_layers": NUM_BLOCKS, "d_model": SIZE, "subsampling_conv_channels": CHANNELS,
                    "ff_expansion_factor": 4, "self_attention_model": "rel_pos", "n_heads": NUM_HEADS,
                    "att_context_size": [-1, -1], "xscaling": True, "untie_biases": True, "pos_emb_max_len": 5000,
                    "conv_kernel_size": KERNEL_SIZE, "conv_norm_type": "batch_norm", "dropout": 0.1, "dropout_att": 0.1,
                    **encoder},
        "decoder": {"_target_": asr + "modules.ConvASRDecoder", "feat_in": SIZE, "num_classes": len(vocabulary),
                    "vocabulary": list(vocabulary)},
        "tokenizer": {"dir": None, "type": "bpe", "model_path": "nemo:a1_tokenizer.model"},
        "optim": {"name": "adamw"}, "target": asr + "models.ctc_bpe_models.EncDecCTCModelBPE", "nemo_version": "2.0.0"}


def nemo_arrays(config: dict, seed: int = 0) -> dict[str, np.ndarray]:
    """The state of the model that a config describes, with random numbers that keep the size of what passes."""
    encoder, random, found = config["encoder"], np.random.default_rng(seed), {}
    size, channels = encoder["d_model"], encoder["subsampling_conv_channels"]
    inner, heads, width = encoder["ff_expansion_factor"] * size, encoder["n_heads"], encoder["conv_kernel_size"]

    def layer(name, *shape, bias=True):
        found[f"{name}.weight"] = random.standard_normal(shape) / np.prod(shape[1:]) ** 0.5
        if bias:
            found[f"{name}.bias"] = 0.2 * random.standard_normal(shape[0])

    def norm(name):
        found[f"{name}.weight"], found[f"{name}.bias"] = (mean + 0.2 * random.standard_normal(size) for mean in (1, 0))

    found["preprocessor.featurizer.window"] = np.hanning(400)
    found["preprocessor.featurizer.fb"] = np.zeros((1, config["preprocessor"]["features"], 257))
    stages, bins = encoder["subsampling_factor"].bit_length() - 1, config["preprocessor"]["features"]
    layer("encoder.pre_encode.conv.0", channels, 1, 3, 3)
    for stage in range(1, stages):
        if encoder["subsampling"] == "striding":
            layer(f"encoder.pre_encode.conv.{2 * stage}", channels, channels, 3, 3)
        else:
            layer(f"encoder.pre_encode.conv.{3 * stage - 1}", channels, 1, 3, 3)
            layer(f"encoder.pre_encode.conv.{3 * stage}", channels, channels, 1, 1)
    layer("encoder.pre_encode.out", size, channels * -(-bins // 2 ** stages))
    bias = encoder.get("use_bias", True)
    for number in range(encoder["n_layers"]):
        block = f"encoder.layers.{number}"
        for part in ("feed_forward1", "self_att", "conv", "feed_forward2", "out"):
            norm(f"{block}.norm_{part}")
        for part in ("feed_forward1", "feed_forward2"):
            layer(f"{block}.{part}.linear1", inner, size, bias=bias)
            layer(f"{block}.{part}.linear2", size, inner, bias=bias)
        for part in "q", "k", "v", "out":
            layer(f"{block}.self_attn.linear_{part}", size, size, bias=bias)
        layer(f"{block}.self_attn.linear_pos", size, size, bias=False)
        for part in "uv":
            found[f"{block}.self_attn.pos_bias_{part}"] = 0.2 * random.standard_normal((heads, size // heads))
        layer(f"{block}.conv.pointwise_conv1", 2 * size, size, 1, bias=bias)
        layer(f"{block}.conv.depthwise_conv", size, 1, width, bias=bias)
        layer(f"{block}.conv.pointwise_conv2", size, size, 1, bias=bias)
        norm(f"{block}.conv.batch_norm")
        found[f"{block}.conv.batch_norm.running_mean"] = 0.2 * random.standard_normal(size)
        found[f"{block}.conv.batch_norm.running_var"] = random.uniform(0.5, 2.0, size)
        found[f"{block}.conv.batch_norm.num_batches_tracked"] = np.array(7)
    layer("decoder.decoder_layers.0", len(config["decoder"]["vocabulary"]) + 1, size, 1)
    # Spread, so that every token wins somewhere.
    found["decoder.decoder_layers.0.weight"] *= 3
    return {name: array.astype("<i8" if name.endswith("tracked") else "<f4") for name, array in found.items()}


def write_nemo(path: Path, config: dict, arrays: dict[str, np.ndarray]) -> Path:
    """A `.nemo` file."""
    members = {"./model_config.yaml": yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode(),
               "./a1_tokenizer.model": b"\n\x0a\n\x05<unk>", "./model_weights.ckpt": zip_checkpoint(arrays)}
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def tiny_nemo(folder: Path, encoder=FULL) -> Path:
    """A `.nemo` file of one of the two kinds."""
    config = nemo_config(encoder)
    return write_nemo(folder / "tiny.nemo", config, nemo_arrays(config))
