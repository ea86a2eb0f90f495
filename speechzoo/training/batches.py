"""The data of a training run: the labels that its manifests hold, and its batches on whichever backend trains."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from speechzoo.config import ConfigError, RangeConfig, SourceConfig, ZooConfig
from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.augment import Augmenter
from speechzoo.data.batching import BatchPlan
from speechzoo.data.manifest import read_manifest
from speechzoo.heads import HEADS
from speechzoo.training.domain_numbers import DomainNumbers
from speechzoo.training.features import CachedFrames, FeatureCache
from speechzoo.training.frame_store import FrameStore
from speechzoo.training.penalties import Penalty

# Batches that the front end's stored mean and variance are computed from.
ADAPTATION_BATCHES = 40


class TrainingData:
    """Training and dev batches of a config: tf.data on the TensorFlow backend, the same batches in NumPy on others.

    Args:
        config: The config.
        model: The model that is trained; its heads encode the labels.
        read: Reads a manifest, see `speechzoo.data.examples.Examples`.
        unlabelled: Train on recordings without a label of any head, too, for a penalty that learns from them.
        fields: Fields of the utterances that penalties learn from.

    Attributes:
        plan: `BatchPlan` of the training sources.
        epoch_steps: Number of batches of each epoch.
        dev_steps: Number of dev batches; 0 without dev sources, and where only heads of open classes train and dev
            has none of their classes: `evaluate` compares voices afterwards.
        loss_weights: Head -> factor of its loss, for the heads that dev has labels of.
    """

    def __init__(self, config: ZooConfig, model: keras.Model,
                 read: Callable[[Path], list[dict]] = read_manifest, unlabelled: bool = False,
                 fields: Iterable[str] = ()):
        if not config.data.train:
            raise ConfigError(f"model '{config.name}': data.train names no manifest; add one, such as "
                              "data.train='[{manifest: train.jsonl}]'")
        settings = config.training
        frame_seconds = model.frontend.frame_seconds * model.backbone.subsampling
        self.config = config
        self.plan = BatchPlan(config.data.train, config.data, model.heads, settings.seed, frame_seconds,
                              sort_first_epoch=settings.sort_first_epoch, sample_rate=config.sample_rate,
                              labelled_only=not unlabelled, first_epochs=self._first_epochs(),
                              epochs=settings.epochs, read=read, fields=fields)
        self.epoch_steps = [len(self.plan.epoch(epoch)) for epoch in range(settings.epochs)]
        if not all(self.epoch_steps):
            raise ConfigError(f"model '{config.name}': epoch {self.epoch_steps.index(0) + 1} has nothing to train on: "
                              "no head has labels in it; lower a head's first_epoch, or raise data.train's repeat")
        self._augmenter = make_augmenter(config)
        self._reader = AudioReader(self.plan.examples, config.sample_rate)
        self._dev = self._dev_reader = self._dev_augmenter = None
        self.dev_steps, self.loss_weights = 0, {}
        self._frames: dict[str, CachedFrames] = {}
        self._added = {}  # name of a penalty -> what it adds to the inputs
        if config.data.dev and not self._dev_is_strangers(model, read):
            self._dev = BatchPlan(config.data.dev, config.data, model.heads, settings.seed, frame_seconds,
                                  training=False, sample_rate=config.sample_rate, labelled_only=True, read=read)
            self.dev_steps = len(self._dev.sequential())
            self._dev_reader = AudioReader(self._dev.examples, config.sample_rate)
            if self._dev.clean_targets() and config.data.augment.noise.probability > 0:
                self._dev_augmenter = Augmenter(config.data.augment, settings.seed, config.data.root,
                                                config.sample_rate, dev=True)
            self.loss_weights = {name: head.loss_weight for name, head in config.heads.items()
                                 if name in model.heads and self._dev.examples.labelled[name].any()}

    def training_batches(self, epoch: int, first: int) -> Iterable:
        """The batches of `epoch` from number `first` on."""
        plan = self.plan.epoch(epoch)[first:]
        batches = (self._frames["train"].batches(plan) if self._frames
                   else _batches(self.plan, epoch, first, self._augmenter, self._reader))
        for added in self._added.values():
            batches = added.add_to(batches, plan)
        return batches

    def adaptation_audio(self) -> Iterable:
        """(audio, audio_length), NumPy, of the first batches of a shuffled epoch, for the front end's statistics."""
        epoch = min(1, self.config.training.epochs - 1)
        for inputs, _, _ in itertools.islice(self.training_batches(epoch, 0), ADAPTATION_BATCHES):
            yield keras.ops.convert_to_numpy(inputs["audio"]), keras.ops.convert_to_numpy(inputs["audio_length"])

    def dev_batches(self) -> Iterable:
        """Every dev utterance once; in noise, where a head learns to take it out."""
        if self._frames:
            return self._frames["dev"].batches(self._dev.sequential())
        return _batches(self._dev, None, 0, self._dev_augmenter, self._dev_reader)

    def use_frames(self, cache: FeatureCache):
        """From now on batches hold frames, which `cache` keeps, in place of audio."""
        if self._dev is not None:
            self._frames["dev"] = cache.add("dev", self._dev, self._dev_reader, np.arange(len(self._dev.examples)))
        self._frames["train"] = cache.add("train", self.plan, self._reader, self._drawn())

    def add_inputs(self, penalty: Penalty, folder: Path) -> FrameStore | DomainNumbers:
        """From now on training batches hold the inputs that `penalty` needs; what it keeps is in `folder`."""
        added = penalty.outputs_of(folder, plan=self.plan, reader=self._reader, drawn=self._drawn())
        self._added[penalty.name] = added
        return added

    def values_of(self, field: str) -> list[str]:
        """The values of one of the `fields` in the training data, as text, sorted."""
        return sorted({str(value) for value in self.plan.examples.values[field] if value is not None})

    def _drawn(self):
        drawn = [batch.indices for epoch in range(len(self.epoch_steps)) for batch in self.plan.epoch(epoch)]
        return np.unique(np.concatenate(drawn))

    def seconds(self, epoch: int, batch: int) -> float:
        """Seconds of audio that are heard in one batch: no padding, and nothing of what can't be read."""
        batch, examples = self.plan.epoch(epoch)[batch], self.plan.examples
        whole = np.minimum(examples.seconds[batch.indices], batch.crops[:, 1] / self.plan.sample_rate)
        heard = [weight > 0 and examples.ids[index] not in self._reader.failures
                 for index, weight in zip(batch.indices, batch.weights)]
        return float(np.sum((whole / batch.speeds + batch.silences) * heard))

    def ids(self, epoch: int, batch: int) -> list[str]:
        """Names of the utterances of one batch."""
        return self.plan.ids(self.plan.epoch(epoch)[batch])

    def fingerprint(self) -> str:
        """Identifies the batches: the utterances in their order, how they are batched and augmented, and the seed."""
        settings = asdict(self.config.data)
        for name in ("root", "dev"):  # a run may move to another folder, and dev trains nothing
            settings.pop(name)
        # What came later is left out where it is off: runs from before it go on.
        for name in ("device", "silence"):
            if not settings["augment"][name]["probability"]:
                settings["augment"].pop(name)
        if not settings["augment"]["playback"]["probability"]:
            settings["augment"].pop("playback")
            settings["augment"].pop("playback_manifest")
        for name, off in (("source_temperature", 1.0), ("last_source_temperature", None), ("crop_seconds", 0.0)):
            if settings[name] == off:
                settings.pop(name)
        for source in settings["train"]:
            if source["utterances"] is None:
                source.pop("utterances")
        settings = [settings, self.config.training.seed, self.config.training.sort_first_epoch]
        later = {name: epoch for name, epoch in self._first_epochs().items() if epoch > 1}
        settings += [later] if later else []
        if "last_source_temperature" in settings[0]:
            settings.append(self.config.training.epochs)
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for name in self.plan.examples.ids:
            digest.update(f"{name}\n".encode())
        return digest.hexdigest()

    def _dev_is_strangers(self, model, read):
        if not all(head.open_classes for head in model.heads.values()):
            return False
        train, dev = (open_labels(self.config, sources, read)
                      for sources in (self.config.data.train, self.config.data.dev))
        return not any(set(train[name]).intersection(dev[name]) for name in model.heads)

    def _first_epochs(self):
        return {name: head.first_epoch for name, head in self.config.heads.items()}

    def report(self) -> dict:
        """What is trained and measured on, what was left out and why, and the recordings that couldn't be read."""
        report = {"train": self.plan.report(), "unreadable": dict(self._reader.failures)}
        if self._dev is not None:
            report["dev"] = self._dev.report()
            report["unreadable"].update(self._dev_reader.failures)
        if self._frames:
            report["features"] = {name: frames.report() for name, frames in self._frames.items()}
        report.update({name: added.report() for name, added in self._added.items()})
        return report


def open_labels(config: ZooConfig, sources: list[SourceConfig],
                read: Callable[[Path], list[dict]] = read_manifest) -> dict[str, list[str]]:
    """The labels that some sources of `config` hold for its heads of open classes, such as the speakers.

    Args:
        config: The config.
        sources: Some of its sources.
        read: Reads a manifest.

    Returns:
        Head -> its labels, sorted; of heads of open classes only.
    """
    found = {name: set() for name, head in config.heads.items() if head.type in HEADS and HEADS[head.type].open_classes}
    for source in sources if found else []:
        path = Path(config.data.root) / source.manifest
        if not path.is_file():
            continue  # BatchPlan says so
        for utterance in read(path):
            if source.split is None or utterance.get("split") == source.split:
                for name, labels in found.items():
                    value = source.label_of(utterance, config.heads[name].label or name)
                    if value is not None:
                        labels.update(HEADS[config.heads[name].type].names_in(value))
    return {name: sorted(labels) for name, labels in found.items()}


def make_augmenter(config: ZooConfig) -> Augmenter | None:
    """The augmentation of `config`; None when everything is off."""
    settings = config.data.augment
    if not any(value.probability > 0 for value in vars(settings).values() if isinstance(value, RangeConfig)):
        return None
    return Augmenter(settings, config.training.seed, root=config.data.root, sample_rate=config.sample_rate)


def _batches(plan, epoch, first, augmenter, reader):
    if keras.backend.backend() == "tensorflow":
        from speechzoo.data.pipeline import make_dataset

        return make_dataset(plan, epoch, first, augmenter, reader)
    from speechzoo.data.feed import make_feed

    return make_feed(plan, epoch, first, augmenter, reader)
