"""What a trained model's heads learn from recordings that were held out: how sure they may be."""

from collections.abc import Container, Iterable

import keras
import numpy as np


def calibrate(model: keras.Model, batches: Iterable, frozen: Container[str] = ()) -> list[str]:
    """Lets each head that can (`Head.calibrate`) set itself from its outputs for held-out recordings.

    No answer changes: classifiers get a temperature, `ctc` heads the prior of their units.

    Args:
        model: A MultiTaskModel, or its heads alone.
        batches: `({"audio", "audio_length"}, {head: target}, {head: weight})`, such as the dev batches of a run; of
            each head the rows with labels count.
        frozen: Paths of weights that must stay as they are; heads that would change one are left alone.

    Returns:
        The heads that were calibrated.
    """
    heads = {name: head for name, head in model.heads.items()
             if head.calibrated_weights and not any(weight.path in frozen for weight in head.calibrated_weights)}
    heard = {name: [] for name in heads}
    for inputs, targets, weights in batches if heads else ():
        outputs = model.predict_on_batch(inputs)
        for name in heads.keys() & weights.keys():
            labelled = np.asarray(weights[name]) > 0
            if labelled.any():
                heard[name].append((np.asarray(outputs[name], np.float64)[labelled],
                                    np.asarray(targets[name])[labelled]))
    return [name for name, batches in heard.items() if batches and heads[name].calibrate(batches)]
