"""Which of a model's heads does what: heads found by their type, their label and the kind of unit that they write."""


def find_heads(spec: dict, type: str | None = None, label: str | None = None,
               kind: str | tuple[str, ...] | None = None) -> list[str]:
    """Names of the heads that fit, in the model's order.

    Args:
        spec: The model's spec, or any dict with its `heads`.
        type: Type of answer, a key of `speechzoo.decoding.answers.ANSWERS`.
        label: What the head answers, such as `keyword`.
        kind: Kind of unit that a `ctc` head writes, or several, any of which fits; see `speechzoo.text.units.UNITS`.

    Example:
        >>> spec = {"heads": {"words": {"type": "ctc", "label": "transcript", "kind": "pieces"},
        ...                   "wake": {"type": "classifier", "label": "keyword", "classes": ["yes", "no"]}}}
        >>> find_heads(spec, type="classifier", label="keyword")
        ['wake']
        >>> find_heads(spec, kind=("characters", "pieces"))
        ['words']
    """
    kinds = (kind,) if isinstance(kind, str) else kind
    return [name for name, head_spec in spec["heads"].items()
            if (type is None or head_spec["type"] == type) and (label is None or head_spec["label"] == label)
            and (kinds is None or head_spec.get("kind") in kinds)]


def find_head(spec: dict, type: str | None = None, label: str | None = None,
              kind: str | tuple[str, ...] | None = None) -> str | None:
    """Name of the head that fits, or None: of several, the one that is named as the label, or else the first.

    Arguments as of `find_heads`.
    """
    found = find_heads(spec, type, label, kind)
    return label if label in found else next(iter(found), None)
