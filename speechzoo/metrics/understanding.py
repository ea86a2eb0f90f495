"""Figures of spoken commands: was everything understood that was asked for, and nothing where nothing was?"""

import numpy as np

from speechzoo.metrics.bootstrap import bootstrap_interval


def score_commands(references: list[tuple[str, dict[str, str]]], answers: list[tuple[str, dict[str, str]]],
                   groups: list, snrs: list[float] | None = None, none: str = "none") -> dict:
    """Command accuracy as Picovoice's speech-to-intent benchmark counts it: the intent and every labelled slot right.

    Args:
        references: Intent and slots of each utterance; the intent `none` where nothing was asked for.
        answers: The same, as answered.
        groups: Speaker of each utterance: what the 95 % bootstrap intervals resample.
        snrs: Signal-to-noise ratio that each was heard at, dB.
        none: Intent of what is no command.

    Returns:
        Of the commands: `accuracy` with `accuracy_interval`, `exact` (the share in which no slot was filled besides,
        either: the benchmark forgives a "with cream" that nobody said), `rejected` (the share taken for no command),
        `slots` (slot -> share of its labels answered right), `n`, and where `snrs` are given `by_snr` (SNR -> accuracy)
        over the mean of which `accuracy` is. Of the utterances that are none: `false_accepts`, the share answered with
        a command, and `n_none`. Keys without utterances are left out.
    """
    commands = [row for row, (intent, _) in enumerate(references) if intent != none]
    others = [row for row, (intent, _) in enumerate(references) if intent == none]
    scores = {}
    if commands:
        right = np.array([_right(references[row], answers[row]) for row in commands], np.float64)
        counts = np.stack([right, np.ones(len(right))], axis=1)
        scores["accuracy"] = round(float(right.mean()), 6)
        interval = bootstrap_interval(lambda sums: sums[:, 0] / np.maximum(sums[:, 1], 1), counts,
                                      [groups[row] for row in commands])
        if interval:
            scores["accuracy_interval"] = [round(float(bound), 6) for bound in interval]
        if snrs is not None:
            heard = np.array([snrs[row] for row in commands])
            means = {f"{snr:g}": float(right[heard == snr].mean()) for snr in np.unique(heard)}
            scores["accuracy"] = round(float(np.mean(list(means.values()))), 6)
            scores["by_snr"] = {snr: round(mean, 6) for snr, mean in means.items()}
        exact = [right[place] and answers[row][1].keys() == references[row][1].keys()
                 for place, row in enumerate(commands)]
        scores["exact"] = round(float(np.mean(exact)), 6)
        scores["rejected"] = round(float(np.mean([answers[row][0] == none for row in commands])), 6)
        scores["slots"] = _slots(references, answers, commands)
        scores["n"] = len(commands)
    if others:
        scores["false_accepts"] = round(float(np.mean([answers[row][0] != none for row in others])), 6)
        scores["n_none"] = len(others)
    return scores


def _right(reference, answer):
    (intent, slots), (answered, filled) = reference, answer
    return intent == answered and all(filled.get(name) == value for name, value in slots.items())


def _slots(references, answers, rows):
    shares = {}
    for row in rows:
        for name, value in references[row][1].items():
            shares.setdefault(name, []).append(answers[row][1].get(name) == value)
    return {name: round(float(np.mean(right)), 6) for name, right in sorted(shares.items())}
