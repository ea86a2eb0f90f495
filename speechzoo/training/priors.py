"""How often a trained model gives each unit: what decoding under a grammar divides by."""

from collections.abc import Container, Iterable

import keras
import numpy as np

from speechzoo.decoding.commands.decode import prior_cost
from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.heads.ctc import CTCHead
from speechzoo.heads.padding import not_padding


def measure_priors(model: keras.Model, batches: Iterable, frozen: Container[str] = ()) -> list[str]:
    """Stores in every `ctc` head the logarithm of its units' mean probability (`log_prior`).

    Args:
        model: A MultiTaskModel.
        batches: `({"audio", "audio_length"}, {head: target}, {head: weight})`, such as the dev batches of a run; of
            each head the rows with labels count, so that noise and silence don't.

    Returns:
        The heads that were measured.
    """
    heads = {name: head for name, head in model.heads.items()
             if isinstance(head, CTCHead) and head.log_prior.path not in frozen}
    heard = {name: [] for name in heads}
    for inputs, _, weights in batches if heads else ():
        outputs = model.predict_on_batch(inputs)
        for name in heads.keys() & weights.keys():
            logits = np.asarray(outputs[name])[np.asarray(weights[name]) > 0]
            frames = logits[not_padding(logits)]
            if len(frames):
                heard[name].append(log_softmax(frames))
    for name, log_probs in heard.items():
        if log_probs:
            heads[name].log_prior.assign(prior_cost(log_probs))
    return [name for name, log_probs in heard.items() if log_probs]
