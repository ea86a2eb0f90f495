"""What the assistant says: texts with slots."""

import re
from dataclasses import dataclass

_PART = re.compile(r"\[([^\[\]]*)\]|([^\[\]]+)")
_SLOT = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Prompt:
    """A text with `{slots}`; what stands in brackets is left out where a slot in it has no value.

    Args:
        text: The text.

    Raises:
        ValueError: Brackets that don't close, or stand in each other.

    Example:
        >>> Prompt("The light is on[ in the {room}].").fill({})
        'The light is on.'
        >>> Prompt("The light is on[ in the {room}].").fill({"room": "kitchen"})
        'The light is on in the kitchen.'
    """

    text: str

    def __post_init__(self):
        if _PART.sub("", self.text) or re.search(r"[{}]", _SLOT.sub("", self.text)):
            raise ValueError("brackets that don't close, or stand in each other; write '[ in the {room}]'")

    @property
    def required(self) -> set[str]:
        """Slots that stand outside of brackets."""
        return {slot for _, text in _PART.findall(self.text) for slot in _SLOT.findall(text)}

    @property
    def optional(self) -> set[str]:
        """Slots that stand in brackets."""
        return {slot for optional, _ in _PART.findall(self.text) for slot in _SLOT.findall(optional)}

    def fill(self, values: dict[str, str]) -> str:
        """The text with these values.

        Raises:
            KeyError: A slot outside of brackets has no value.
        """
        said = []
        for optional, text in _PART.findall(self.text):
            if text or all(slot in values for slot in _SLOT.findall(optional)):
                said.append(_SLOT.sub(lambda match: values[match[1]], text or optional))
        text = "".join(said)
        return text[:1].upper() + text[1:]
