"""What an exported file can be asked: `recognize`, and what else applies to a model."""

from speechzoo.exporters.signatures.custom_words import CustomWords
from speechzoo.exporters.signatures.decode_step import DecodeStep
from speechzoo.exporters.signatures.owner import Owner
from speechzoo.exporters.signatures.recognize import Embed, Keyword, Recognize
from speechzoo.exporters.signatures.signature import Signature
from speechzoo.exporters.signatures.stream_step import StreamStep

SIGNATURES = (Recognize, DecodeStep, StreamStep, Keyword, Embed, CustomWords, Owner)
"""`SIGNATURES` stand in the order in which a file has them."""

__all__ = ["SIGNATURES", "CustomWords", "DecodeStep", "Embed", "Keyword", "Owner", "Recognize", "Signature",
           "StreamStep", "choose_signatures"]


def choose_signatures(model, spec: dict, names: list[str] | None = None) -> list[type[Signature]]:
    """The signatures that the file of a model shall have; `recognize` is always the first.

    Args:
        model: A `MultiTaskModel`.
        spec: Its spec.
        names: Those beside `recognize`. Default: every signature that applies except `learn` and `adapt` if the model
            can stream; otherwise only `decode_step` where it applies.

    Raises:
        ValueError: One that doesn't apply to the model.
    """
    available = {signature.name: signature for signature in SIGNATURES if signature.heads_of(model, spec)}
    if names is None:
        names = [name for name, signature in available.items() if not signature.has_variables]
        names = names if StreamStep.name in available else [name for name in names if name == DecodeStep.name]
    for name in names:
        if name not in available:
            raise ValueError(f"the model has no signature '{name}'; it has: {', '.join(available)}")
    return [signature for name, signature in available.items() if signature is Recognize or name in names]
