"""Recordings to draw episodes from: which classes and speakers teach, and which are held out to measure on."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechzoo.corpora.labelled import read_labelled
from speechzoo.text.units import SILENCE_CLASS

# Part of classes and speakers that is held out.
_HELD_OUT = 0.3
# With fewer speakers nobody is held out: it would be a single one, and nobody else to test on.
_FEWEST_SPEAKERS = 5


@dataclass
class Recordings:
    """Labelled recordings.

    Attributes:
        utterances: Lines of a manifest with absolute paths.
        labels: The label of each, None of those in which nobody speaks.
        speakers: The speaker of each, None where unknown.
        teaching: Numbers of those that episodes of training are drawn from.
        held_out: Numbers of those that episodes of the evaluation are drawn from: other classes, other speakers.
        silences: Numbers of those in which nobody speaks.
    """

    utterances: list[dict]
    labels: list[str | None]
    speakers: list[str | None]
    teaching: np.ndarray
    held_out: np.ndarray
    silences: np.ndarray

    def names(self, members) -> list[str]:
        """The labels that some of them have, sorted."""
        return sorted({self.labels[number] for number in members})


def read_named(data: str | Path, label: str) -> list[dict]:
    """The utterances that `read_labelled` reads, all of whose labels are names.

    Args:
        data: Manifest (JSONL), folder that holds `manifest.jsonl`, or folder whose folders are called as what is heard.
        label: Field of an utterance, or what the folders' names are.

    Raises:
        CorpusError, ManifestError: The data can't be read.
        ValueError: No recording has the label.
    """
    utterances, _ = read_labelled(data, label)
    if not utterances:
        raise ValueError(f"{data}: no usable recording has a label {label}")
    values = [value for value in (utterance[label] for utterance in utterances) if not isinstance(value, str)]
    if values:
        raise ValueError(f"{data}: labels of {label} must be names to be told apart, got {values[0]!r}")
    return utterances


def divide_recordings(train: str | Path, test: str | Path | None, label: str, per_class: int,
                      seed: int = 1) -> Recordings:
    """Reads recordings and says which classes and speakers teach.

    Without `test`, 30 % of the classes are held out, and of five speakers and more 30 % of these; those of held-out
    classes by speakers who teach, and the other way round, are not used. With `test` its recordings are held out: those
    of classes and speakers that teach are not used. Labels that begin with an underscore are no classes.

    Args:
        train, test: As `read_named` takes them.
        label: Field with the classes.
        per_class: Recordings of each class at most, drawn at random.
        seed: Of what is drawn; which classes and speakers are held out follows from their names.

    Raises:
        CorpusError, ManifestError: The data can't be read.
        ValueError: No recordings with the label, or nothing that isn't in training to measure on.
    """
    utterances = read_named(train, label)
    first = len(utterances)
    if test is not None:
        utterances += read_named(test, label)
    labels = [utterance[label] for utterance in utterances]
    speakers = [_speaker(utterance, train if number < first else test) for number, utterance in enumerate(utterances)]
    classes = {name for name in labels[:first] if name[0] != "_"}
    if test is None:
        unseen_classes = held_out(classes)
        known = set(speakers) - {None}
        unseen = held_out(known) if len(known) >= _FEWEST_SPEAKERS else set()
        teaching = [number for number in range(first) if labels[number] in classes - unseen_classes
                    and speakers[number] not in unseen]
        testing = [number for number in range(first) if labels[number] in unseen_classes
                   and (not unseen or speakers[number] is None or speakers[number] in unseen)]
    else:
        teaching = [number for number in range(first) if labels[number] in classes]
        heard = {speakers[number] for number in teaching} - {None}
        testing = [number for number in range(first, len(labels)) if labels[number][0] != "_"
                   and labels[number] not in classes and speakers[number] not in heard]
        if not testing:
            raise ValueError(f"{test}: all its classes or speakers are in {train}, too; nothing is left to measure on")
    random = np.random.default_rng(seed)
    teaching, testing = (_thinned(members, labels, per_class, random) for members in (teaching, testing))
    silences = [number for number, name in enumerate(labels) if name == SILENCE_CLASS][:per_class]
    kept = np.concatenate([teaching, testing, np.array(silences, np.int64)])
    place = {int(number): index for index, number in enumerate(kept)}
    return Recordings(
        [utterances[number] for number in kept],
        [None if labels[number] == SILENCE_CLASS else labels[number] for number in kept],
        [speakers[number] for number in kept],
        *(np.array([place[int(number)] for number in members], np.int64) for members in (teaching, testing, silences)))


def held_out(names: set[str]) -> set[str]:
    """30 % of the names, one at least: those whose hashes are smallest, so that other names don't change it."""
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return set(order[:max(1, round(_HELD_OUT * len(names)))])


def _speaker(utterance, source):
    """A speaker of one corpus isn't the one of that name of another."""
    name = utterance.get("speaker")
    return None if name is None else f"{utterance.get('corpus', source)}/{name}"


def _thinned(members, labels, most, random):
    by_class = defaultdict(list)
    for number in members:
        by_class[labels[number]].append(number)
    chosen = [random.permutation(found)[:most] for _, found in sorted(by_class.items())]
    return np.sort(np.concatenate(chosen)).astype(np.int64) if chosen else np.zeros(0, np.int64)
