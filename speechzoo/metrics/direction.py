"""Which way metrics get better."""

# Endings of the names of those that are better when lower.
FALLING = ("loss", "cer", "per", "ter", "wer", "eer", "error", "error_rate", "min_dcf")


def lower_is_better(metric: str) -> bool:
    """Whether a metric falls as a model gets better: losses and error rates do, accuracies and scores rise.

    Args:
        metric: Its name, behind those of its head or corpus, if any: "transcript/wer".

    Example:
        >>> lower_is_better("transcript/wer"), lower_is_better("keyword/accuracy")
        (True, False)
    """
    return metric.rsplit("/", 1)[-1].endswith(FALLING)
