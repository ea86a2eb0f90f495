"""What a model has forgotten: every head that it had, before and after."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speechzoo.audio import AudioError
from speechzoo.data.examples import spread
from speechzoo.data.records import RecordError
from speechzoo.data.utterance_audio import read_utterance_audio
from speechzoo.decoding.answers import answer_kind
from speechzoo.evaluation import evaluate

# Recordings that are compared at most.
_MOST = 200


def changed_answers(before, after, utterances: list[dict]) -> dict[str, float]:
    """Head -> share of its answers, 0 to 1, that are others than they were, of the heads that both models have.

    It needs no labels: for each recording the model's own answer is compared. 0 too where answers are never quite the
    same, such as embeddings.

    Args:
        before, after: Two MultiTaskModels.
        utterances: Lines of a manifest with absolute paths; at most 200 at even distances are heard.
    """
    names = [name for name in before.spec["heads"] if name in after.spec["heads"]]
    pairs = {name: [] for name in names}
    for audio in _read(utterances, before.spec["sample_rate"]):
        old, new = before.batch_outputs([audio])[0], after.batch_outputs([audio])[0]
        for name in names:
            pairs[name].append((old[name], new[name]))
    return {name: float(answer_kind(before.spec["heads"][name]).changed(pairs[name], before.spec["heads"][name]))
            for name in names if pairs[name]}


def forgotten(before, after, manifest: str | Path, split: str | None = None) -> dict[str, dict[str, tuple]]:
    """Head -> metric -> (before, after), on labelled recordings, of the heads that both models have.

    Raises:
        ManifestError, ValueError: The manifest can't be read, or has no labels for any head.
    """
    heads = [name for name in before.spec["heads"] if name in after.spec["heads"]]
    one, other = (evaluate(model, manifest, split=split)["overall"] for model in (before, after))
    return {head: {metric: (value, other[head][metric]) for metric, value in figures.items()
                   if isinstance(value, float)}
            for head, figures in one.items() if head in heads and head in other}


def _read(utterances, sample_rate) -> Iterator[np.ndarray]:
    for index in spread(len(utterances), _MOST):
        try:
            yield read_utterance_audio(utterances[index], "", sample_rate)
        except (AudioError, RecordError, OSError):
            continue
