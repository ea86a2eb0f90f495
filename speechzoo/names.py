"""Names that people type: a hint for one that isn't known."""

import difflib


def nearest(name: str, known) -> str:
    """A hint for an unknown name: the nearest known one, or all of them."""
    known = [str(item) for item in known]
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known)) or 'none'}"
