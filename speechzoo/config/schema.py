"""The keys of a zoo config, as typed dataclasses."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from speechzoo.config.errors import ConfigError
from speechzoo.names import nearest

# Paths of the weights of all networks that heads share: `backbone/...`, and `backbone_expert_1/...` of some sharings.
ALL_NETWORKS = "backbone*/*"


@dataclass
class PartConfig:
    """A registered front end, backbone, sharing, weighting or penalty: its name and its constructor's arguments."""

    type: str
    options: dict = field(default_factory=dict)


@dataclass
class BackboneConfig(PartConfig):
    """A backbone, and what of it comes from a trained model.

    Attributes:
        weights: Whose front end and backbone the model begins with: name of a zoo model, folder of a run, of
            `speechzoo import` or of `save`, or `hf://owner/name`. What the config doesn't say of the two, it takes from
            there. It belongs to how a run begins: the config of a run that has begun hasn't got it any more.
        blocks: How many of the backbone's blocks there are, the first ones; all when None.
        freeze: The backbone stays as it is while the rest trains.
    """

    weights: str | None = None
    blocks: int | None = None
    freeze: bool = False


@dataclass
class HeadConfig:
    """A head: its registered type, where it listens, what it learns from and its constructor's arguments.

    Attributes:
        type: Name in `speechzoo.heads.HEADS`, or in `speechzoo.pretraining.OBJECTIVES`.
        label: Utterance field that holds its label; the head's own name when absent.
        block: Backbone block (1-based) whose frames it reads; the last when absent.
        loss_weight: Factor of its loss in the total.
        options: Arguments of the head's constructor.
        first_epoch: Epoch (1-based) in which it joins: a curriculum by task. Until then it has no labels, and what has
            labels for no other head is left out (Bengio et al. 2009, "Curriculum learning").
    """

    type: str
    label: str | None = None
    block: int | None = None
    loss_weight: float = 1.0
    options: dict = field(default_factory=dict)
    first_epoch: int = 1


@dataclass
class SourceConfig:
    """One manifest that training or evaluation reads.

    Attributes:
        manifest: Path of the JSONL file, relative to `data.root`.
        split: Keep only utterances of this split; all when absent.
        repeat: Passes over the source in one epoch; 0.5 takes another random half each epoch.
        balance: Label whose classes are drawn evenly (`balance_power` 1) or in between (0 leaves them as they are).
        balance_power: Exponent of the balancing, 0 to 1: a class of n utterances is drawn as n ** (1 - balance_power)
            (Kang et al. 2020, https://arxiv.org/abs/1910.09217, equation 1).
        labels: Labels to use of this source; all when absent, and none (`[]`) where nobody shall look at them.
        default_labels: Labels of its utterances that don't have them, such as `{intent: none}`.
        utterances: Keep only so many, at even distances in the manifest: a small set of what a model knew, which it
            rehearses while it learns something else (Robins 1995, https://doi.org/10.1080/09540099550039318). All when
            absent.
    """

    manifest: str
    split: str | None = None
    repeat: float = 1.0
    balance: str | None = None
    balance_power: float = 1.0
    labels: list[str] | None = None
    default_labels: dict = field(default_factory=dict)
    utterances: int | None = None

    def label_of(self, utterance: dict, label: str):
        """What the source says of an utterance of its manifest, or None: its label, if it is used, or the default."""
        if self.labels is not None and label not in self.labels:
            return None
        return utterance.get(label, self.default_labels.get(label))


@dataclass
class RangeConfig:
    """An augmentation drawn uniformly between two bounds, with a probability."""

    probability: float = 0.0
    minimum: float = 0.0
    maximum: float = 0.0


@dataclass
class AugmentConfig:
    """Waveform augmentation of the training data. Everything is off by default.

    Attributes:
        speed: Factor of the playing speed (pitch and tempo together).
        gain: Level change, dB.
        noise: Signal-to-noise ratio, dB; the noises come from `noise_manifest`.
        noise_manifest: Manifest of noises, or a list of them, relative to `data.root`. What they hold of the split
            `dev` is not used.
        reverberation: Reverberation time (RT60), seconds; rooms are simulated by the image method.
        silence: Silence behind the recording, seconds, as far as the last bucket leaves room; noise fills it as it
            does the rest. Without it a network that learns from sentences cut at their ends hears words in the noise
            behind one.
        shift: Time shift, seconds; what leaves at one end is dropped, the other end is silent.
        band_limit: Upper edge of the telephone or codec band, Hz.
        playback: Ratio of the recording, with its noise, to what the device's own loudspeaker plays meanwhile, dB; that
            comes from `playback_manifest`, through simulated rooms.
        playback_manifest: Manifest of what it plays, or a list of them: music, and its own voice. What they hold of the
            split `dev` is not used.
        device: Unevenness of a loudspeaker's or microphone's response, dB; devices are simulated.
    """

    speed: RangeConfig = field(default_factory=RangeConfig)
    gain: RangeConfig = field(default_factory=RangeConfig)
    noise: RangeConfig = field(default_factory=RangeConfig)
    noise_manifest: str | list[str] | None = None
    reverberation: RangeConfig = field(default_factory=RangeConfig)
    silence: RangeConfig = field(default_factory=RangeConfig)
    shift: RangeConfig = field(default_factory=RangeConfig)
    band_limit: RangeConfig = field(default_factory=RangeConfig)
    device: RangeConfig = field(default_factory=RangeConfig)
    playback: RangeConfig = field(default_factory=RangeConfig)
    playback_manifest: str | list[str] | None = None


@dataclass
class DataConfig:
    """What a model is trained on and how batches are made.

    Attributes:
        root: Folder that manifests are relative to; the folder of the config when empty.
        train: Sources of training batches.
        dev: Sources that choose the best checkpoint.
        seconds_per_batch: Budget of padded audio in one batch, seconds.
        bucket_seconds: Upper edges of the length buckets, seconds; the last is the longest utterance kept.
        source_temperature: An epoch of as many utterances takes from each source in proportion to its size (times its
            `repeat`) to the power of 1 / temperature: 1 leaves sizes as they are, 5 is usual where small corpora stand
            beside large ones, a great one makes them equal (Arivazhagan et al. 2019, https://arxiv.org/abs/1907.05019,
            section 4.2).
        last_source_temperature: Temperature of the last epoch; `source_temperature` is that of the first then, and
            between them 1 / temperature changes evenly: from 1 to 5 is annealed sampling, which learns from what there
            is most of at first and from all tasks alike in the end (Stickland and Murray 2019,
            https://arxiv.org/abs/1902.02671). The same in all epochs when absent.
        minimum_seconds: Shorter utterances are left out.
        crop_seconds: Of a longer recording a part of this length is heard in training, another one every epoch, so that
            recordings of all corpora share a length bucket, and batch statistics are not those of one corpus. For
            heads that say one thing of a whole recording; 0 trains on whole recordings.
        augment: Waveform augmentation of the training batches.
    """

    root: str = ""
    train: list[SourceConfig] = field(default_factory=list)
    dev: list[SourceConfig] = field(default_factory=list)
    seconds_per_batch: float = 96.0
    bucket_seconds: list[float] = field(default_factory=lambda: [1.05, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0])
    source_temperature: float = 1.0
    last_source_temperature: float | None = None
    minimum_seconds: float = 0.2
    crop_seconds: float = 0.0
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass
class LoraConfig:
    """Low-rank updates of kernels, which train in place of the front end and the backbones.

    Attributes:
        rank: Of each update.
        layers: Shell-style patterns on the paths of the kernels that have one.
    """

    rank: int = 8
    layers: list[str] = field(default_factory=lambda: [ALL_NETWORKS])


@dataclass
class TrainingConfig:
    """How a model is trained.

    Attributes:
        epochs: Passes over the data.
        learning_rate: Peak of the schedule: linear warm-up, then `decay` to zero.
        warmup_steps: Steps of the warm-up.
        decay: How the learning rate falls: `cosine` (half of one) or `linear`.
        weight_decay: AdamW's decoupled decay.
        gradient_clip_norm: Bound of the global gradient norm.
        ema_momentum: Momentum of the averaged weights that are evaluated and kept; 0 turns them off.
        average_checkpoints: How many of the last evaluated weights are averaged into the final ones.
        evaluate_every: Steps between evaluations on the dev sources.
        checkpoint_every: Steps between resumable checkpoints.
        early_stop_metric: Metric on dev, `head/metric` (such as `transcript/wer`) or `loss`, that must improve.
        early_stop_patience: Evaluations without improvement before training stops; 0 never stops early.
        sort_first_epoch: First epoch runs from short to long without augmentation, which gets CTC off its plateau: a
            curriculum by length (SortaGrad, Amodei et al. 2016, https://arxiv.org/abs/1512.02595, section 3.2).
        freeze: Shell-style patterns on the paths of weights, as a weights file has them (`backbone/block_1/*`,
            `frontend/*`; `*` matches slashes too): what matches stays as it is.
        unfreeze: Pattern on the paths of weights -> epoch (1-based) from whose first step on they train: gradual
            unfreezing. Of several patterns that match a weight, the last counts.
        rates: Pattern on the paths of weights -> factor of their learning rate, and with it of their weight decay. Of
            several patterns that match a weight, the last counts.
        reinitialize: Patterns on the paths of weights that start at random all the same, where a run starts from
            weights: `[backbone/block_4/*]`.
        lora: Low-rank updates that train in place of the front end and the backbones: `{rank: 8}`.
        penalties: What is added to the loss of a training step: `{type: l2_sp, strength: 0.01}`.
        cache_features: Compute the frames of a frozen front end and backbone once, keep them in the run's folder, and
            train the heads on them.
        cache_gigabytes: Bound of these files, 1e9 bytes; what doesn't fit is computed each time.
        quantization_aware: Train with weights and inputs of products rounded as in an int8 file, which the trained
            model then loses less by; start from trained weights (Jacob et al. 2018, https://arxiv.org/abs/1712.05877).
        precision: `float32`, or `bfloat16` for products of rounded numbers, 1.5 times as fast where the processor has
            them; the weights are float32 all the same.
        seed: Seed of weights, shuffling, augmentation and dropout.
    """

    epochs: int = 10
    learning_rate: float = 1e-3
    warmup_steps: int = 1000
    decay: str = "cosine"
    weight_decay: float = 1e-2
    gradient_clip_norm: float = 5.0
    ema_momentum: float = 0.0
    average_checkpoints: int = 1
    evaluate_every: int = 500
    checkpoint_every: int = 200
    early_stop_metric: str = "loss"
    early_stop_patience: int = 0
    sort_first_epoch: bool = True
    freeze: list[str] = field(default_factory=list)
    unfreeze: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    reinitialize: list[str] = field(default_factory=list)
    lora: LoraConfig | None = None
    penalties: list[PartConfig] = field(default_factory=list)
    cache_features: bool = False
    cache_gigabytes: float = 16.0
    quantization_aware: bool = False
    precision: str = "float32"
    seed: int = 1


@dataclass
class ZooConfig:
    """One model of the zoo.

    Attributes:
        name: Name for `speechzoo.load`; the file's name without its ending.
        summary: One line that says what the model is for.
        frontend: Waveform -> features.
        backbone: Features -> frames.
        heads: Task name -> head, in the order of the outputs.
        sharing: Which parts of the network the heads have in common; all of the backbone by default.
        weighting: How the heads' losses become one.
        data: Training data.
        training: Training settings.
        sample_rate: Hz.
    """

    name: str
    summary: str
    frontend: PartConfig
    backbone: BackboneConfig
    heads: dict[str, HeadConfig]
    sharing: PartConfig = field(default_factory=lambda: PartConfig("hard"))
    weighting: PartConfig = field(default_factory=lambda: PartConfig("static"))
    data: DataConfig = field(default_factory=DataConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    sample_rate: int = 16000

    def __post_init__(self):
        if not isinstance(self.backbone, BackboneConfig):  # any part will do, where nothing comes from a trained model
            self.backbone = BackboneConfig(self.backbone.type, self.backbone.options)

    def select_heads(self, names: list[str]) -> dict[str, HeadConfig]:
        """Some of the heads, in the config's order.

        Raises:
            ConfigError: The config has no such head.
        """
        for name in names:
            if name not in self.heads:
                raise ConfigError(f"model '{self.name}' has no head '{name}'; {nearest(name, self.heads)}")
        return {name: head for name, head in self.heads.items() if name in names}

    def dev_sources(self, root: str | Path | None = None) -> list[SourceConfig]:
        """The dev sources with their manifests as paths under `root` (`data.root` when None)."""
        return [dataclasses.replace(source, manifest=str(Path(root or self.data.root) / source.manifest))
                for source in self.data.dev]

    def frozen(self) -> list[str]:
        """Patterns of the weights that don't train: those of `training.freeze`, and all of a frozen backbone's."""
        return [*self.training.freeze, *([ALL_NETWORKS] if self.backbone.freeze else [])]

    def to_dict(self) -> dict:
        """The config as plain dicts and lists, as `from_dict` reads it; what it began from is no longer needed."""
        values = dataclasses.asdict(self)
        values["backbone"].pop("weights", None)
        return values
