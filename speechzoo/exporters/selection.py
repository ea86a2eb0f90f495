"""A model with fewer heads."""

from speechzoo.multitask.model import MultiTaskModel


def keep_heads(model: MultiTaskModel, heads: list[str] | None) -> MultiTaskModel:
    """The same layers and weights with only the heads asked for; the model itself for None.

    Raises:
        ValueError: A head that the model doesn't have, or none at all.
    """
    if heads is None:
        return model
    if not heads:
        raise ValueError("no head to export")
    for name in heads:
        if name not in model.heads:
            raise ValueError(f"the model has no head '{name}'; it has: {', '.join(model.heads)}")
    chosen = {name: head for name, head in model.heads.items() if name in heads}
    blocks = {name: model.blocks[name] for name in chosen}
    kept = MultiTaskModel(model.frontend, model.sharing, chosen, blocks, config=model.zoo_config, name=model.name)
    kept.origin = model.origin
    return kept
