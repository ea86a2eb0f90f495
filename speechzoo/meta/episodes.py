"""Episodes: small tasks drawn from labelled recordings, each with words to learn and recordings to test them on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Speakers are divided anew so often before an episode is given up.
_TRIES = 200


class Episode(NamedTuple):
    """One task.

    Attributes:
        support: Numbers of the recordings to learn from, int64 (ways * shots,), class by class.
        support_targets: Their classes in the episode, 0 to ways - 1, int32.
        query: Numbers of the recordings to test on, int64 (ways * queries + unknown + silence,).
        query_targets: Their classes; -1 of those that belong to none.
        names: The labels that the classes stand for.
    """

    support: np.ndarray
    support_targets: np.ndarray
    query: np.ndarray
    query_targets: np.ndarray
    names: list[str]


class EpisodeSampler:
    """Draws episodes of N ways and K shots (Vinyals et al. 2016, https://arxiv.org/abs/1606.04080, section 4.1).

    In each episode the speakers are divided at random: half of them are heard in the support, the other half in the
    queries, so that nobody is in both. A recording without a speaker counts as one of its own. Where all recordings
    are of one speaker, this is not possible, and only the recordings differ.

    Args:
        labels: Label of each recording, (recordings,).
        speakers: Speaker of each, None where unknown.
        ways: Classes per episode.
        shots: Recordings of each class in the support.
        queries: Recordings of each class among the queries.
        unknown: Queries of classes that are not in the episode.
        silence: Queries in which nobody speaks.
        silences: Numbers of the recordings to draw these from.
        members: Numbers of the recordings to draw all others from; all when None.
        seed: Episodes are a pure function of the seed and their number.

    Attributes:
        by_speaker: Whether support and queries are of different speakers.

    Raises:
        ValueError: There are too few classes, or recordings of them.

    Example:
        >>> labels, speakers = ["yes", "no", "yes", "no"], ["anna", "anna", "ben", "ben"]
        >>> episode = EpisodeSampler(labels, speakers, ways=2, shots=1, queries=1).draw(0)
        >>> {speakers[number] for number in episode.support} & {speakers[number] for number in episode.query}
        set()
    """

    def __init__(self, labels: Sequence[str], speakers: Sequence[str | None], ways: int, shots: int, queries: int,
                 unknown: int = 0, silence: int = 0, silences: Sequence[int] = (), members: Sequence[int] | None = None,
                 seed: int = 1):
        for name, value, least in (("ways", ways, 2), ("shots", shots, 1), ("queries", queries, 1),
                                   ("unknown", unknown, 0), ("silence", silence, 0)):
            if value < least:
                raise ValueError(f"{name} must be {least} or more, got {value}")
        if silence and not len(silences):
            raise ValueError("silence asks for recordings in which nobody speaks, and there are none")
        self.ways, self.shots, self.queries, self.unknown, self.silence = ways, shots, queries, unknown, silence
        self.members = np.arange(len(labels)) if members is None else np.asarray(members, np.int64)
        self.names, self._class = np.unique([labels[number] for number in self.members], return_inverse=True)
        known = {speakers[number] for number in self.members} - {None}
        self.by_speaker = len(known) > 1
        voices = [speakers[number] if self.by_speaker and speakers[number] is not None else f"\0{number}"
                  for number in self.members]
        names, self._speaker = np.unique(voices, return_inverse=True) if voices else ([], np.zeros(0, int))
        self._silences, self._seed = np.asarray(silences, np.int64), seed
        self._counts = np.zeros((len(self.names), len(names)), np.int64)
        np.add.at(self._counts, (self._class, self._speaker), 1)
        if len(self.names) < ways + bool(unknown):
            others = " and one for unknown words" if unknown else ""
            raise ValueError(f"{ways} ways need {ways} classes{others}; there are {len(self.names)}; ask for fewer ways"
                             + (", or no unknown words" if unknown else ""))
        self.draw(0)

    def draw(self, number: int) -> Episode:
        """The episode of this number.

        Raises:
            ValueError: Too few classes have as many recordings.
        """
        random = np.random.default_rng([self._seed, number])
        classes, learning = self._divide(random)
        support = [self._pick(random, np.flatnonzero((self._class == kind) & learning), self.shots)
                   for kind in classes]
        query = [self._pick(random, np.flatnonzero((self._class == kind) & ~learning), self.queries)
                 for kind in classes]
        others = ~np.isin(self._class, classes)
        heard = np.flatnonzero(others & ~learning)
        strangers = self._pick(random, heard if len(heard) else np.flatnonzero(others), self.unknown)
        nobody = random.choice(self._silences, self.silence) if self.silence else self._silences[:0]
        targets = np.arange(self.ways, dtype=np.int32)
        return Episode(
            self.members[np.concatenate(support)], np.repeat(targets, self.shots),
            np.concatenate([self.members[np.concatenate([*query, strangers])], nobody]),
            np.concatenate([np.repeat(targets, self.queries), np.full(self.unknown + self.silence, -1, np.int32)]),
            [str(self.names[kind]) for kind in classes])

    def _divide(self, random):
        """Classes of an episode, and which recordings may be in its support, bool (members,)."""
        most, size = 0, self._counts.shape[1]
        for _ in range(_TRIES):
            chosen = np.zeros(size, bool)
            chosen[random.permutation(size)[:max(1, size // 2)]] = True
            fitting = np.flatnonzero((self._counts[:, chosen].sum(axis=1) >= self.shots)
                                     & (self._counts[:, ~chosen].sum(axis=1) >= self.queries))
            if len(fitting) >= self.ways:
                return random.choice(fitting, self.ways, replace=False), chosen[self._speaker]
            most = max(most, len(fitting))
        apart = " when speakers in the support are not those of the queries" if self.by_speaker else ""
        raise ValueError(f"at most {most} classes have {self.shots} recordings to learn from and {self.queries} to "
                         f"test on{apart}, and {self.ways} ways are asked for; ask for fewer ways, shots or queries")

    @staticmethod
    def _pick(random, pool, count):
        return random.choice(pool, count, replace=len(pool) < count) if count else np.zeros(0, np.int64)
