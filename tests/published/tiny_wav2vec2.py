"""wav2vec 2.0 and HuBERT with random weights, in files as transformers writes them."""

import json
from pathlib import Path

import numpy as np

SIZE, NUM_BLOCKS, NUM_HEADS, INNER, CONVOLUTION_SIZE, WIDTH, GROUPS = 16, 2, 4, 24, 32, 8, 4
KERNELS, STRIDES = [10, 3, 3, 3, 3, 2, 2], [5, 2, 2, 2, 2, 2, 2]
# As facebook/wav2vec2-base-960h has it: capital letters and tokens of no text.
VOCABULARY = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAOIN'"]
# Kind -> what config.json says of it.
KINDS = {"base": {"feat_extract_norm": "group", "conv_bias": False, "do_stable_layer_norm": False},
         "large": {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}}
# Both of PyTorch's spellings of a weight's length and direction.
SPELLINGS = {"old": ("weight_g", "weight_v"),
             "new": ("parametrizations.weight.original0", "parametrizations.weight.original1")}


def config(kind: str = "base", model_type: str = "wav2vec2", **changes) -> dict:
    """`config.json`."""
    return {"model_type": model_type, "hidden_size": SIZE, "num_hidden_layers": NUM_BLOCKS,
            "num_attention_heads": NUM_HEADS, "intermediate_size": INNER, "conv_dim": [CONVOLUTION_SIZE] * len(KERNELS),
            "conv_kernel": KERNELS, "conv_stride": STRIDES, "num_conv_pos_embeddings": WIDTH,
            "num_conv_pos_embedding_groups": GROUPS, "hidden_act": "gelu", "feat_extract_activation": "gelu",
            "layer_norm_eps": 1e-5, "pad_token_id": 0, "vocab_size": len(VOCABULARY), **KINDS[kind], **changes}


def arrays(kind: str = "base", model_type: str = "wav2vec2", spelling: str = "new", seed: int = 2) -> dict:
    """What `Wav2Vec2ForCTC.state_dict()` or `HubertForCTC.state_dict()` has, all of it random.

    Models of most other seeds write one or two letters, whatever they hear.
    """
    random = np.random.default_rng(seed)
    found = {}

    def weight(name, *shape):
        found[f"{name}.weight"] = random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))

    def bias(name, *shape):
        found[f"{name}.bias"] = 0.2 * random.standard_normal(shape)

    def dense(name, units_in, units_out):
        weight(name, units_out, units_in)
        bias(name, units_out)

    def norm(name, size):
        found[f"{name}.weight"] = 1 + 0.2 * random.standard_normal(size)
        bias(name, size)

    found[f"{model_type}.masked_spec_embed"] = random.standard_normal(SIZE)
    for number, width in enumerate(KERNELS):
        layer = f"{model_type}.feature_extractor.conv_layers.{number}"
        weight(f"{layer}.conv", CONVOLUTION_SIZE, CONVOLUTION_SIZE if number else 1, width)
        found[f"{layer}.conv.weight"] *= 2  # or what passes through seven of them fades away
        if KINDS[kind]["conv_bias"]:
            bias(f"{layer}.conv", CONVOLUTION_SIZE)
        if kind == "large" or not number:
            norm(f"{layer}.layer_norm", CONVOLUTION_SIZE)
    norm(f"{model_type}.feature_projection.layer_norm", CONVOLUTION_SIZE)
    dense(f"{model_type}.feature_projection.projection", CONVOLUTION_SIZE, SIZE)
    encoder = f"{model_type}.encoder"
    length, direction = (f"{encoder}.pos_conv_embed.conv.{name}" for name in SPELLINGS[spelling])
    found[length] = random.uniform(0.5, 2.0, (1, 1, WIDTH))
    found[direction] = random.standard_normal((SIZE, SIZE // GROUPS, WIDTH))
    bias(f"{encoder}.pos_conv_embed.conv", SIZE)
    norm(f"{encoder}.layer_norm", SIZE)
    for block in range(NUM_BLOCKS):
        layer = f"{encoder}.layers.{block}"
        for part in "kvq":
            dense(f"{layer}.attention.{part}_proj", SIZE, SIZE)
        dense(f"{layer}.attention.out_proj", SIZE, SIZE)
        norm(f"{layer}.layer_norm", SIZE)
        dense(f"{layer}.feed_forward.intermediate_dense", SIZE, INNER)
        dense(f"{layer}.feed_forward.output_dense", INNER, SIZE)
        norm(f"{layer}.final_layer_norm", SIZE)
    weight("lm_head", len(VOCABULARY), SIZE)
    bias("lm_head", len(VOCABULARY))
    return {name: array.astype(np.float32) for name, array in found.items()}


def write_settings(folder: Path, settings: dict, vocabulary: list[str] | None = None):
    """`config.json` and what lies beside it; `vocab.json` for all tokens."""
    folder.mkdir(exist_ok=True)
    files = {"config.json": settings,
             "preprocessor_config.json": {"do_normalize": True, "feature_size": 1, "sampling_rate": 16000,
                                          "padding_value": 0.0, "return_attention_mask": False},
             "vocab.json": {token: number for number, token in enumerate(vocabulary or VOCABULARY)}}
    for name, values in files.items():
        (folder / name).write_text(json.dumps(values))


def write_wav2vec2(folder: Path, kind: str = "base", model_type: str = "wav2vec2", spelling: str = "new") -> Path:
    """`model.safetensors` and the files beside it, as `save_pretrained` writes them."""
    from safetensors.numpy import save_file

    write_settings(folder, config(kind, model_type))
    save_file(arrays(kind, model_type, spelling), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def babble(seconds: float, seed: int) -> np.ndarray:
    """float32 (samples,) in which tones and noises change many times a second, so that a random model writes text."""
    random, count, pieces = np.random.default_rng(seed), round(16000 * seconds), []
    while sum(map(len, pieces)) < count:
        time = np.arange(random.integers(800, 4000)) / 16000
        pieces.append(random.uniform(0.05, 0.5) * np.sin(2 * np.pi * random.uniform(100, 4000) * time)
                      + random.uniform(0, 0.2) * random.standard_normal(len(time)))
    return np.concatenate(pieces)[:count].astype(np.float32)
