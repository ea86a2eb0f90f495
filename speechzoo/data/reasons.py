"""Why things are left out, counted by kind."""

import re
from collections import Counter
from collections.abc import Iterable


def count_reasons(reasons: Iterable[str] | dict[str, int]) -> Counter:
    """Reasons, each of which may name a file or say a number -> kinds of them and how often.

    Example:
        >>> count_reasons(["a.wav: 3.2 s, longer than 2 s", "'b' can't be read", "'c' can't be read"]).most_common()
        [("'...' can't be read", 2), ('a.wav: N s, longer than N s', 1)]
    """
    counts = Counter()
    for reason, count in (reasons.items() if isinstance(reasons, dict) else ((reason, 1) for reason in reasons)):
        # Quoted, an apostrophe stands between letters only: that of "can't" opens nothing.
        kind = re.sub(r"(?<![^\W_])'.*?'(?![^\W_])|(?<![^\W_])\".*?\"", "'...'", reason)
        counts[re.sub(r"(?<![^\W\d])\d+(\.\d+)?", "N", kind)] += count
    return counts
