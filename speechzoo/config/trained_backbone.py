"""Front end and backbone that a config takes from a trained model: `backbone: {weights: imported/whisper_tiny_en}`."""

from speechzoo.config.errors import ConfigError
from speechzoo.config.merging import merge

# What a config says of its own use of a backbone, and hands on to nobody.
_OWN = ("weights", "freeze")


def with_trained_backbone(values: dict, trained: dict, source: str, where: str) -> dict:
    """The values of a config on top of the front end and backbone of a trained model.

    Args:
        values: Plain values of the config, with options beside types; see `flatten_options`. They stay as they are.
        trained: Those of the model's config.
        source: What the model is called, for messages.
        where: The config's name, for messages.

    Raises:
        ConfigError: The model is of another type, or has fewer blocks.
    """
    merged = {"sample_rate": trained["sample_rate"], **values} if "sample_rate" in trained else dict(values)
    for key in ("frontend", "backbone"):
        base, own = trained.get(key), values.get(key, {})
        if not isinstance(base, dict) or "type" not in base:
            raise ConfigError(f"{where}.backbone.weights: the config of {source} has no {key}")
        own = {"type": own} if isinstance(own, str) else own
        if not isinstance(own, dict):
            continue  # which whoever reads the values reports
        if own.get("type", base["type"]) != base["type"]:
            raise ConfigError(f"{where}.{key}: is '{own['type']}', and that of {source} is '{base['type']}'; leave its "
                              "type out, or take the weights of another model")
        merged[key] = merge({name: value for name, value in base.items() if name not in _OWN}, own)
    blocks, trained_blocks = (part["backbone"].get("blocks") for part in (merged, trained))
    if type(blocks) is type(trained_blocks) is int and blocks > trained_blocks:
        raise ConfigError(f"{where}.backbone.blocks: must be at most {trained_blocks}, the blocks of {source}, got "
                          f"{blocks}")
    return merged
