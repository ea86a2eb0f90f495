"""Names that people type: a hint for one that isn't known, and how they are printed."""

import difflib


def nearest(name: str, known) -> str:
    """A hint for an unknown name: the nearest known one, or all of them."""
    known = [str(item) for item in known]
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known)) or 'none'}"


def shown(text: str) -> str:
    r"""Text with what can't be seen, such as a zero-width space, written out.

    Example:
        >>> shown("yes\u200b, caf\u00e9") == "yes" + "\\u200b, caf\u00e9"
        True
    """
    return "".join(character if character.isprintable() else character.encode("unicode_escape").decode()
                   for character in text)
