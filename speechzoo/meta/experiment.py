"""Recordings, their features and episodes: what several methods can be compared on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from keras import ops

from speechzoo.meta.building import block_of, build_method
from speechzoo.meta.episodes import Episode, EpisodeSampler
from speechzoo.meta.evaluation import Answers
from speechzoo.meta.features import SILENCES, compute_features, read_all_audio
from speechzoo.meta.gradients import compiled
from speechzoo.meta.methods import Method
from speechzoo.meta.recordings import divide_recordings
from speechzoo.meta.settings import MetaSettings
from speechzoo.registry import load

# Episodes of training classes that temperature and threshold are set on.
_CHECKS = 100


class Experiment:
    """Recordings of training and held-out classes, and the episodes drawn from them.

    Args:
        settings: What is read and drawn; the method and what is only its own may differ from those of `make`.
        folder: Where the frames of the recordings are kept.
        on_progress: Called with a line now and then.

    Attributes:
        model: The `MultiTaskModel` as it was trained.
        recordings: `Recordings`.
        teaching, checking, testing: `EpisodeSampler`s: of training, of training classes to set a threshold on, and of
            held-out classes and speakers.

    Raises:
        ValueError: There are too few recordings, or they can't be read.
    """

    def __init__(self, settings: MetaSettings, folder: Path, on_progress: Callable[[str], None] | None = None):
        self.settings = settings
        self.recordings = divide_recordings(settings.train, settings.test, settings.label, settings.per_class,
                                            settings.seed)
        # Before anything is computed: these say what is missing.
        utterances, silences = self._with_silence()
        self._make_samplers(self.recordings.teaching, self.recordings.held_out, silences)
        self.model = load(settings.model)
        if settings.train_backbone:
            self.features, readable = read_all_audio(self.model, utterances)
        else:
            self.features, readable = compute_features(self.model, block_of(settings, self.model), utterances,
                                                       folder, on_progress)
        self.unreadable = int((~readable).sum())
        if self.unreadable:
            self._make_samplers(*(members[readable[members]] for members in (
                self.recordings.teaching, self.recordings.held_out, silences)))

    def statistics(self, block: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of the pooled frames of a block (the settings' when None), over training recordings."""
        if not self.features.pooled:
            return np.zeros(0), np.ones(0)
        pooled = self.features.pooled[block or block_of(self.settings, self.model)][self.teaching.members]
        # A feature that never changes says nothing, whatever it is divided by.
        return pooled.mean(axis=0, dtype=np.float64), pooled.std(axis=0, dtype=np.float64) + 1e-6

    def make(self, settings: MetaSettings | None = None) -> Method:
        """A method, as it starts."""
        settings = settings or self.settings
        return build_method(settings, self.model, settings.ways, self.statistics(settings.block))

    def task(self, method: Method, episode: Episode, block: int | None = None) -> dict:
        """An episode as a method takes it; baselines read the pooled frames of a block."""
        if method.reads_pooled:
            pooled = self.features.pooled[block or block_of(self.settings, self.model)]
            support, query = pooled[episode.support], pooled[episode.query]
        else:
            support, query = self.features.inputs(episode.support), self.features.inputs(episode.query)
        return {"support": support, "support_targets": episode.support_targets, "query": query,
                "query_targets": episode.query_targets}

    def check(self, method: Method, block: int | None = None) -> Answers:
        """Answers in episodes of training classes."""
        return self._answers(method, self.checking, _CHECKS, block)

    def test(self, method: Method, block: int | None = None) -> Answers:
        """Answers in episodes of held-out classes and speakers."""
        return self._answers(method, self.testing, self.settings.test_episodes, block)

    def _answers(self, method, sampler, count, block):
        scores = method.scores if method.numpy else compiled(method.scores)
        values, answers = [variable.value for variable in method.variables], []
        for number in range(count):
            episode = sampler.draw(number)
            logits = ops.convert_to_numpy(scores(values, self.task(method, episode, block)))
            answers.append((logits, episode.query_targets))
        return answers

    def _with_silence(self):
        """All utterances, and which of them are silence; where there is none, it is made."""
        utterances, silences = list(self.recordings.utterances), self.recordings.silences
        if self.settings.silence and not len(silences):
            silences = np.arange(len(utterances), len(utterances) + SILENCES)
            utterances += [None] * SILENCES
        return utterances, silences

    def _make_samplers(self, teaching, held_out, silences):
        settings = self.settings
        parts = []
        for number, (name, members) in enumerate((("training", teaching), ("training", teaching),
                                                  ("evaluation", held_out))):
            try:
                parts.append(EpisodeSampler(
                    self.recordings.labels, self.recordings.speakers, settings.ways, settings.shots, settings.queries,
                    settings.unknown, settings.silence, silences, members, seed=3 * settings.seed + number))
            except ValueError as error:
                raise ValueError(f"episodes of {name}: {error}") from None
        self.teaching, self.checking, self.testing = parts
