"""What a training run begins with: its model, its data, and what of the model trains how."""

from dataclasses import dataclass
from pathlib import Path

import keras

from speechzoo.config import ConfigError, ZooConfig
from speechzoo.multitask.build import build_model
from speechzoo.training.batches import TrainingData, count_classes, training_speakers
from speechzoo.training.features import check_cacheable
from speechzoo.training.freezing import freeze
from speechzoo.training.penalties.making import make_penalties, start_penalties
from speechzoo.training.precision import use_precision
from speechzoo.training.rates import match_rates
from speechzoo.training.schedule import make_optimizer
from speechzoo.weights import LoadReport, load_weights


@dataclass
class Prepared:
    """A run before its checkpoint is looked for.

    Attributes:
        model: The whole model, compiled.
        trained: What takes the steps: the model, or its heads alone where features are cached; one optimizer for both.
        data: Batches.
        speakers: Names of the training speakers.
        total_steps: Steps of the whole run.
        frozen: Paths of the weights that don't train.
        load_report: What did not fit of the weights that it starts from; None without.
    """

    model: keras.Model
    trained: keras.Model
    data: TrainingData
    speakers: list[str]
    total_steps: int
    frozen: set[str]
    load_report: LoadReport | None


def prepare(config: ZooConfig, weights: str | Path | None) -> Prepared:
    """Builds and compiles what a config trains, from the seed's weights or from a file's.

    Raises:
        ConfigError, ManifestError: Something in the config or the data can't be used.
    """
    settings = config.training
    keras.utils.set_random_seed(settings.seed)
    use_precision(settings.precision)
    speakers = training_speakers(config)
    model = build_model(config, speakers=speakers or None, training=True)
    model.weighting.check_backend()
    model.penalties = make_penalties(settings.penalties)
    data = TrainingData(config, model)
    count_classes(model, data.plan)
    total_steps = sum(data.epoch_steps)
    if not total_steps:
        raise ConfigError(f"model '{config.name}': training.epochs is {settings.epochs}; nothing to train")
    load_report = load_weights(model, weights, strict=False) if weights else None
    frozen = freeze(model, settings.freeze)
    start_penalties(model, load_report)
    model.compile(make_optimizer(settings, total_steps, match_rates(model, settings.rates)))
    model.optimizer.build(model.trainable_variables)
    trained = model
    if settings.cache_features:
        check_cacheable(config, model, frozen)
        trained = model.on_frames()
        trained.compile(model.optimizer)
    return Prepared(model, trained, data, speakers, total_steps, frozen, load_report)
