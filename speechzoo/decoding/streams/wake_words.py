"""How sure a model must be of its wake words."""

from collections.abc import Iterable

from speechzoo.text.units import NOTHING_CLASSES

KEYWORD_THRESHOLD = 0.99
"""`KEYWORD_THRESHOLD` is the least mean posterior of a keyword for which nobody has measured one."""


def wake_thresholds(head_spec: dict, threshold: float | None = None) -> dict[str, float]:
    """Keyword -> the least mean posterior that counts, of the words that are offered for waking.

    Those of a trained model were measured on speech that it was not trained on (`benchmarks/quality/wake_word.py`). A
    word is not offered where no threshold keeps it below half a false alarm per hour with 5 % missed at most.

    Args:
        head_spec: The spec of the `keyword` head.
        threshold: One for all words, also for those that are not offered otherwise.

    Raises:
        ValueError: A threshold that isn't above 0 and at most 1.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise ValueError(f"threshold {threshold} is not above 0 and at most 1")
    words = [name for name in head_spec.get("classes", []) if name not in NOTHING_CLASSES]
    if threshold is not None:
        return dict.fromkeys(words, threshold)
    measured = head_spec.get("wake_thresholds", {})
    found = {word: measured.get(word, KEYWORD_THRESHOLD) for word in words}
    return {word: least for word, least in found.items() if least is not None}


def check_wake_words(spec: dict, words: Iterable[str], threshold: float | None = None) -> dict[str, float]:
    """Wake word -> the least mean posterior that wakes.

    Args:
        spec: The model's.
        words: Wake words to wait for.
        threshold: Of all of them; the measured ones when None.

    Raises:
        ValueError: A word that the model's `keyword` head doesn't know, or that is not offered for waking.
    """
    head = spec["heads"].get("keyword", {})
    offered, known = wake_thresholds(head, threshold), head.get("classes", [])
    for word in words:
        if word not in known:
            raise ValueError(f"the model doesn't know the wake word '{word}'; it knows: "
                             + (", ".join(known) or "none"))
        if word not in offered:
            raise ValueError(f"'{word}' is not offered for waking: this model misses it too often, or takes too much "
                             f"else for it; it offers: {', '.join(offered) or 'none'}. With a threshold of your own "
                             "(--threshold) it wakes all the same")
    return {word: offered[word] for word in words}
