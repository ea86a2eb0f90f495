"""What every training begins with: the model of a config, its data, and what of the model trains how."""

import functools
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import keras

from speechzoo.config import ConfigError, ZooConfig
from speechzoo.data.manifest import read_manifest
from speechzoo.layers.lora import is_update, low_rank
from speechzoo.layers.quantizable import quantization_aware
from speechzoo.multitask.build import build_model
from speechzoo.training.batches import TrainingData, open_labels
from speechzoo.training.features import check_cacheable
from speechzoo.training.freezing import freeze, frozen_patterns
from speechzoo.training.patterns import check_patterns, match, network_weights
from speechzoo.training.penalties.making import make_penalties, start_penalties, taps_of
from speechzoo.training.precision import use_precision
from speechzoo.training.rates import match_rates, match_starts
from speechzoo.training.schedule import make_optimizer
from speechzoo.registry import find_weights
from speechzoo.trained import assign_backbone
from speechzoo.weights import LoadReport, load_weights


@dataclass
class PreparedRun:
    """A run before its first step, or before its checkpoint is looked for.

    Attributes:
        model: The whole model, compiled.
        trained: What takes the steps: the model, or its heads alone where features are cached; one optimizer for both.
        data: Batches.
        labels: Head -> labels that the training data holds, for heads of open classes, such as the speakers.
        total_steps: Steps of the whole run.
        frozen: Paths of the weights that don't train.
        load_report: What did not fit of the weights that it starts from; None without.
    """

    model: keras.Model
    trained: keras.Model
    data: TrainingData
    labels: dict[str, list[str]]
    total_steps: int
    frozen: set[str]
    load_report: LoadReport | None

    def adapt_frontend(self):
        """Sets the front end's statistics from training audio, unless they came with weights or it has none.

        The first thing of a run that begins; one that goes on finds them in its checkpoint.
        """
        if self.load_report is None and self.model.frontend.needs_adaptation:
            self.model.frontend.adapt(self.data.adaptation_audio())


def prepare_run(config: ZooConfig, weights: str | Path | None = None, steps: int | None = None) -> PreparedRun:
    """Builds and compiles what a config trains, from the seed's weights or from a file's.

    Args:
        config: The config.
        weights: Weights file to start from; what doesn't fit is reported and starts from random values. That of the
            model in `backbone.weights` when None, of which front end and backbone must fit, and the rest is left out.
        steps: Steps that the run takes, which the learning rate follows; those of the config's epochs when None.

    Raises:
        ConfigError, ManifestError: Something in the config or the data can't be used.
    """
    settings = config.training
    read = functools.cache(read_manifest)  # each manifest once, however many sources and steps need it
    keras.utils.set_random_seed(settings.seed)
    use_precision(settings.precision)

    # The model: heads of open classes take their classes from the data before they are built.
    labels = open_labels(config, config.data.train, read)
    # It acts on the constructors that run inside: each layer of `layers.quantizable` asks there whether it is on. So no
    # front end, backbone or head has to hand an option down to its layers.
    penalties = make_penalties(settings.penalties)
    lora = settings.lora
    with quantization_aware(settings.quantization_aware), low_rank(lora.rank, lora.layers) if lora else nullcontext():
        model = build_model(config, labels=labels, training=True, taps=taps_of(penalties))
    model.weighting.check_backend()
    model.penalties = penalties

    # The data: the model's heads encode its labels, and losses may go by how many of each there are.
    fields = dict.fromkeys(field for penalty in penalties for field in penalty.fields)
    data = TrainingData(config, model, read, any(penalty.unlabelled for penalty in penalties), fields)
    for name, head in model.heads.items():
        if head.needs_class_counts:
            head.adapt(class_counts=data.plan.class_counts(name))
    total_steps = sum(data.epoch_steps) if steps is None else steps
    if not total_steps:
        raise ConfigError(f"model '{config.name}': training.epochs is {settings.epochs}; nothing to train")

    # The weights that it starts from, and what holds on to them.
    if lora and not any(is_update(weight.path) for weight in model.weights):
        raise ConfigError(f"training.lora: no kernel matches {', '.join(lora.layers)}")
    load_report = _load(model, weights, config)
    frozen = freeze(model, frozen_patterns(model, config))
    if all(head.unlabelled for head in model.heads.values()):
        model.frontend.trainable = False  # no gradient of an objective reaches it
    for penalty in penalties:
        penalty.total_steps = total_steps
        penalty.values = {field: data.values_of(field) for field in penalty.fields}
    start_penalties(model, load_report)

    # Losses, metrics, and the optimizer of what trains, the penalties' own weights included.
    optimizer = make_optimizer(settings, total_steps, match_rates(model, settings.rates),
                               match_starts(model, settings.unfreeze, data.epoch_steps))
    model.compile(optimizer)
    model.optimizer.build(model.trainable_variables)
    trained = model
    if settings.cache_features:
        check_cacheable(config, model, frozen)
        trained = model.on_frames()
        trained.compile(model.optimizer)
    return PreparedRun(model, trained, data, labels, total_steps, frozen, load_report)


def _load(model, weights, config):
    """Loads what a run starts from, if anything; what didn't fit, or wasn't asked for."""
    patterns, drawn = config.training.reinitialize, {}
    check_patterns(patterns, network_weights(model), "training.reinitialize")
    for weight in [weight for pattern in patterns for weight in match(pattern, network_weights(model))]:
        drawn[weight.path] = (weight, keras.ops.convert_to_numpy(weight))
    if config.backbone.weights:
        report = assign_backbone(model, Path(weights or find_weights(config.backbone.weights)))
    else:
        report = load_weights(model, weights, strict=False) if weights else None
    for path, (weight, value) in drawn.items():
        weight.assign(value)
        if report is not None and path not in report.missing:
            report.missing.append(path)
    return report
