"""ZooConfig -> MultiTaskModel."""

import dataclasses

from speechzoo.backbones import BACKBONES
from speechzoo.config import ConfigError, ZooConfig, create
from speechzoo.frontends import FRONTENDS
from speechzoo.multitask.model import MultiTaskModel
from speechzoo.multitask.sharing import SHARINGS
from speechzoo.multitask.weighting import WEIGHTINGS
from speechzoo.pretraining import head_types


def build_model(config: ZooConfig, heads: list[str] | None = None,
                labels: dict[str, list[str]] | None = None, training: bool = False,
                taps: dict[str, int] | None = None) -> MultiTaskModel:
    """Builds the model that a config describes, with random weights.

    Args:
        config: The config.
        heads: Names of the heads to build; all of the config's when None, without the auxiliary ones unless training.
        labels: Head -> labels that the training data holds, for heads of open classes, such as the speakers; a head
            without them only embeds.
        training: The model is going to be trained, so that auxiliary heads are of use. Whether it is aware of how it
            will be quantized is for the caller: see `layers.quantizable.quantization_aware`.
        taps: Blocks whose frames are among the outputs, see `MultiTaskModel`.

    Raises:
        ConfigError: A head that the config doesn't have, or a part or option that doesn't exist.
    """
    chosen, types = config.heads if heads is None else config.select_heads(heads), head_types()
    if heads is None and not training:
        chosen = {name: head for name, head in chosen.items()
                  if head.type not in types or not types[head.type].auxiliary}
        if config.heads and not chosen:
            raise ConfigError(f"model '{config.name}' has heads for training only ({', '.join(config.heads)}); what it "
                              "has learnt is for a config with other heads: speechzoo train CONFIG --weights RUN "
                              "--out DIR")
    if not chosen:
        raise ConfigError(f"model '{config.name}' has no heads; name some, heads={{...}}")
    try:
        return _build(config, chosen, labels or {}, taps)
    except ConfigError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Options of a wrong type or size; Keras explains over several lines.
        raise ConfigError(f"model '{config.name}': {' '.join(str(error).split())}") from error


def _build(config, chosen, labels, taps):
    frontend = create(FRONTENDS, "front end", config.frontend, name="frontend", sample_rate=config.sample_rate)
    backbone = _make_backbone(config)
    sharing = create(SHARINGS, "sharing", config.sharing, backbone=backbone, tasks=list(config.heads))
    layers = {}
    for name, head in chosen.items():
        layers[name] = create(head_types(), "head", head, name=name, label=head.label)
        layers[name].adapt(labels.get(name) or None)
    _check_causality(config, frontend, backbone, sharing, layers)
    weights = {name: head.loss_weight for name, head in chosen.items()}
    weighting = create(WEIGHTINGS, "weighting", config.weighting, weights=weights, name="weighting")
    blocks = {name: head.block for name, head in chosen.items() if head.block is not None}
    return MultiTaskModel(frontend, sharing, layers, blocks, weighting, dataclasses.replace(config, heads=chosen),
                          name=config.name, taps=taps)


def _make_backbone(config):
    """The backbone, of which a config may ask for the first blocks."""
    part = config.backbone
    whole = create(BACKBONES, "backbone", part, name="backbone")
    if part.blocks in (None, whole.num_blocks):
        return whole
    if part.blocks > whole.num_blocks:
        raise ConfigError(f"model '{config.name}': backbone.blocks is {part.blocks}, and '{part.type}' has "
                          f"{whole.num_blocks} blocks here")
    options = type(whole).first_blocks(part.options, part.blocks)
    return create(BACKBONES, "backbone", dataclasses.replace(part, options=options), name="backbone")


def _check_causality(config, frontend, backbone, sharing, heads):
    """A backbone for streams is of no use beside other parts that look ahead, or where heads have other networks."""
    if not backbone.causal:
        return
    if not frontend.causal:
        raise ConfigError(f"model '{config.name}': its backbone is causal and its front end looks ahead; add "
                          "causal: true to the front end, too")
    if not sharing.one_network:
        raise ConfigError(f"model '{config.name}': sharing '{config.sharing.type}' doesn't stream; use hard with "
                          "a causal backbone")
    for name, head in heads.items():
        if head.looks_ahead:
            setting = "pooling: attentive" if head.spec()["type"] == "speaker" else "convolutions: 0"
            raise ConfigError(f"model '{config.name}': its backbone is causal and head '{name}' looks ahead; set "
                              f"{setting}")
