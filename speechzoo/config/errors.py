"""What is wrong with a config, and the name that was meant."""

import difflib


class ConfigError(ValueError):
    """A config that can't be used; the message names the file, the key and the remedy."""


def nearest(name: str, known) -> str:
    """A hint for an unknown name: the nearest known one, or all of them."""
    known = [str(item) for item in known]
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known)) or 'none'}"
