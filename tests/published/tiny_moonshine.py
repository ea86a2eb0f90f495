"""A Moonshine model with random weights, as transformers names and writes it."""

import json
from pathlib import Path

import numpy as np

SIZE, NUM_BLOCKS, NUM_HEADS, INNER = 16, 2, 2, 24
ROTARY = 6  # of the 8 channels of a head: 0.85 x 8, rounded down


def config(**changes) -> dict:
    """`config.json`, with the settings of rotary positions as newer files have them."""
    return {"model_type": "moonshine", "hidden_size": SIZE, "intermediate_size": INNER,
            "encoder_num_hidden_layers": NUM_BLOCKS, "encoder_num_attention_heads": NUM_HEADS,
            "encoder_num_key_value_heads": NUM_HEADS, "encoder_hidden_act": "gelu", "attention_bias": False,
            "rope_parameters": {"rope_theta": 10000.0, "partial_rotary_factor": 0.85, "rope_type": "default"},
            **changes}


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """The encoder of `MoonshineForConditionalGeneration.state_dict()`, and one array of the decoder."""
    random = np.random.default_rng(seed)
    found = {"model.decoder.norm.weight": np.ones(SIZE)}

    def weight(name, *shape):
        found[f"model.encoder.{name}.weight"] = random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))

    def vector(name, size, mean=0.0):
        found[f"model.encoder.{name}"] = mean + 0.2 * random.standard_normal(size)

    weight("conv1", SIZE, 1, 127)
    vector("groupnorm.weight", SIZE, 1.0)
    vector("groupnorm.bias", SIZE)
    for number, shape in ((2, (2 * SIZE, SIZE, 7)), (3, (SIZE, 2 * SIZE, 3))):
        weight(f"conv{number}", *shape)
        vector(f"conv{number}.bias", shape[0])
    for block in range(NUM_BLOCKS):
        for part in "qkvo":
            weight(f"layers.{block}.self_attn.{part}_proj", SIZE, SIZE)
        for name, shape in (("fc1", (INNER, SIZE)), ("fc2", (SIZE, INNER))):
            weight(f"layers.{block}.mlp.{name}", *shape)
            vector(f"layers.{block}.mlp.{name}.bias", shape[0])
        vector(f"layers.{block}.input_layernorm.weight", SIZE, 1.0)
        vector(f"layers.{block}.post_attention_layernorm.weight", SIZE, 1.0)
    vector("layer_norm.weight", SIZE, 1.0)
    return {name: array.astype(np.float32) for name, array in found.items()}


def write_moonshine(folder: Path) -> Path:
    """`model.safetensors` and `config.json`."""
    from safetensors.numpy import save_file

    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config()))
    save_file(arrays(), folder / "model.safetensors", metadata={"format": "pt"})
    return folder
