"""Language tags (BCP 47): `en`, `en-GB`, `pt-BR`, `sr-Latn`, `zh-CN`."""

import re

_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")


def language_tag(text: str) -> str:
    """A tag as it is usually written: `en-gb`, `en_GB` -> `en-GB`, `sr-latn` -> `sr-Latn`.

    Raises:
        ValueError: Not a tag.
    """
    if not _TAG.fullmatch(text):
        raise ValueError("the language must be two or three letters, such as en (ISO 639), with a region or script "
                         "behind a hyphen where it matters, such as pt-BR")
    first, *parts = re.split("[-_]", text)
    written = {2: str.upper, 4: str.title}
    return "-".join([first.lower(), *(written.get(len(part), str.lower)(part) for part in parts)])


def primary_language(tag: str) -> str:
    """The language itself, without region and script: `en-GB` -> `en`."""
    return re.split("[-_]", tag, maxsplit=1)[0].lower()
