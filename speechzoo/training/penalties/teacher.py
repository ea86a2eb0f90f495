"""What another model says of the same recordings, when it hears them without the noise."""

from pathlib import Path

import numpy as np
from keras import ops

from speechzoo.config import ConfigError
from speechzoo.names import nearest
from speechzoo.registry import find_weights, load, read_config
from speechzoo.training.penalties.penalty import Penalty
from speechzoo.training.teacher_outputs import FRAME_TYPES, TYPES, TeacherModel, store_outputs

FEATURES = "features"
# Probabilities below it teach nothing.
_SMALLEST = 1e-8


class Teacher(Penalty):
    """Distillation: the outputs of the heads, and frames of blocks, shall be those of another model.

    The teacher hears each recording as it is, once; what it says is kept on disk in float16. The student hears the
    augmented recording, so that augmentation may add noise, rooms, devices, gain and silence behind, and must keep the
    time axis. Recordings without labels teach, too.

    The loss is the sum, each with its factor, of

    - `ctc`: KL divergence of the frames' units, added up over the frames of an example, as the CTC loss is;
    - `frame_classifier`, `alignment`: the same, averaged over the frames;
    - `classifier`, `slots`: temperature^2 x KL divergence at the temperature (equation 4 of the first reference and
      the factor after it);
    - `speaker`: 1 - cosine, behind a learnt linear map where the sizes differ;
    - frames of blocks: mean squared difference of a learnt linear map of the student's frame and the teacher's, which
      is normalised over its channels to mean 0 and variance 1 (hints: the second reference, equation 3).

    All in nats, or plain numbers, per example, and averaged over the examples. The linear maps train with the model and
    are in checkpoints only.

    Where frames of the two differ in length, a longer frame of the student takes those of the teacher whose middles
    lie in it: of `ctc` the greatest probability of each unit and the smallest of the blank, made to add up to one, so
    that peaks stay peaks; of all else the mean. A shorter frame takes the one that its middle lies in.

    References: Hinton et al. 2015, https://arxiv.org/abs/1503.02531; Romero et al. 2015,
    https://arxiv.org/abs/1412.6550; of CTC posteriors, Senior et al. 2015,
    https://doi.org/10.1109/ASRU.2015.7404788.

    Args:
        model: The teacher: name of a zoo model, folder of a run, of `speechzoo import` or of `save`, or
            `hf://owner/name`.
        heads: Heads that are taught, each by the teacher's of the same name, or head -> the teacher's. When neither
            they nor `features` are given, all that fit.
        features: Block of the backbone -> block of the teacher's.
        loss_weights: Head, or `features` -> factor of its loss; 1 for those not named.
        temperature: Of classes of whole recordings.
        cache_gigabytes: Bound of the files, 1e9 bytes; what doesn't fit is computed each time it comes up.
        folder: Folder of the files, which several runs may share; `teacher` in the run's own when None.

    Raises:
        ConfigError: No such model, head or block, or one that can't teach this model.
    """

    source_option = "model"
    unlabelled = True
    may_change = ("cache_gigabytes", "folder")

    def __init__(self, model: str, heads: list[str] | dict[str, str] | None = None,
                 features: dict[int, int] | None = None, loss_weights: dict[str, float] | None = None,
                 temperature: float = 2.0, cache_gigabytes: float = 16.0, folder: str | None = None, **kwargs):
        super().__init__(**kwargs)
        if temperature <= 0:
            raise ValueError(f"teacher: temperature {temperature:g} must be above 0")
        self.source = str(model)
        self.heads = dict(zip(heads, heads)) if isinstance(heads, list) else heads
        self.features = {int(own): int(its) for own, its in (features or {}).items()}
        self.loss_weights = {name: float(factor) for name, factor in (loss_weights or {}).items()}
        self.temperature = temperature
        self.cache_gigabytes, self.folder = cache_gigabytes, folder
        self.taps = {f"{self.name}_block_{block}": block for block in self.features}
        self.maps = {}

    def source_file(self) -> Path:
        """The teacher's weights file."""
        try:
            return find_weights(self.source)
        except (OSError, ValueError) as error:
            raise ConfigError(f"training.penalties: 'teacher': {error}") from None

    def start(self, model):
        """Loads the teacher, checks what it can teach the model, and makes the linear maps."""
        _check_time_axis(model.zoo_config.data)
        specs = {name: head.spec() for name, head in model.heads.items()}
        try:
            theirs = read_config(self.source).heads
            chosen = self.heads
            if chosen is None:
                chosen = {} if self.features else {name: name for name in specs if name in theirs}
            lacking = [name for name in chosen if name not in specs]
            if lacking:
                raise ConfigError(f"the model has no head '{lacking[0]}'; {nearest(lacking[0], specs)}")
            # A model has one head at least; an imported encoder has none.
            teacher = load(self.source, heads={name: {} for name in chosen.values()} or
                           {"unused": {"type": "classifier", "classes": ["a", "b"]}})
            # Such as a head that only taught in training: it would say something at random.
            untrained = {path.partition("/")[0] for path in teacher.new_weights}
            differences = {own: "its weights have none of it" if its in untrained else
                           _difference(specs[own], teacher.heads[its].spec()) for own, its in chosen.items()}
            if self.heads is None:
                chosen = {own: its for own, its in chosen.items() if not differences[own]}
            for own, its in chosen.items():
                if differences[own]:
                    raise ConfigError(f"head '{its}' of {self.source} can't teach '{own}': {differences[own]}")
            if not chosen and not self.features:
                raise ConfigError(f"{self.source} has no head with the labels of the model's; name blocks (features: "
                                  "{block: block})")
            asked = TeacherModel(teacher, list(dict.fromkeys(chosen.values())), sorted(set(self.features.values())),
                                 model.zoo_config.training.precision)
            self._prepare(model, asked, chosen, specs)
        except (OSError, ValueError) as error:
            raise ConfigError(f"training.penalties: 'teacher': {error}") from None
        self.asked = _Unseen(asked)

    def _prepare(self, model, asked, chosen, specs):
        if asked.sample_rate != model.frontend.sample_rate:
            raise ConfigError(f"{self.source} hears {asked.sample_rate} Hz, and the model {model.frontend.sample_rate}")
        unknown = self.loss_weights.keys() - chosen.keys() - ({FEATURES} if self.features else set())
        if unknown:
            raise ConfigError(f"loss_weights: '{min(unknown)}' is not among what is taught: "
                              f"{', '.join([*chosen, *([FEATURES] if self.features else [])])}")
        self.taught = {own: (its, specs[own], _order(specs[own], asked.parts[its].spec))
                       for own, its in chosen.items()}
        # Student frames per teacher frame; rounded, because both are products of decimal fractions.
        self.ratio = round(model.frontend.frame_seconds * model.backbone.subsampling / asked.frame_seconds, 6)
        self.batch_inputs = {f"{self.name}/{name}": ((None, None, part.size) if part.by_frame else (None, part.size),
                                                     "float32") for name, part in asked.parts.items()}
        self.batch_inputs |= {f"{self.name}/length": ((None,), "int32"), f"{self.name}/weight": ((None,), "float32")}
        for own, (its, spec, _) in self.taught.items():
            if spec["type"] == "speaker" and spec["embedding_size"] != asked.parts[its].size:
                self._add_map(own, spec["embedding_size"], asked.parts[its].size)
        for own, its in self.features.items():
            name = f"{self.name}_block_{own}"
            if name not in model.output:
                raise ConfigError("features need one backbone, sharing 'hard'")
            self._add_map(name, model.output[name].shape[-1], asked.parts[f"block_{its}"].size)

    def _add_map(self, name, inputs, outputs):
        self.maps[name] = (self.add_weight(name=f"{name}_kernel", shape=(inputs, outputs),
                                           initializer="glorot_uniform"),
                           self.add_weight(name=f"{name}_bias", shape=(outputs,), initializer="zeros"))

    def outputs_of(self, folder: Path, **arguments):
        """The `TeacherOutputs` of a run's training utterances; `arguments` are `plan`, `reader` and `drawn`."""
        return store_outputs(self.name, Path(self.folder or folder / self.name), self.asked.value,
                             self.cache_gigabytes, **arguments)

    def call(self, model, inputs, outputs):
        """The distillation loss of a batch, a scalar."""
        taught = {name: inputs[f"{self.name}/{name}"] for name in (*self.asked.value.parts, "length", "weight")}
        # Where features are cached, frames come in; otherwise the model counts them.
        lengths = outputs["frame_length"] if "frame_length" in outputs else inputs["frame_length"]
        total = ops.zeros(())
        for own, (its, spec, order) in self.taught.items():
            given = ops.cast(outputs[own], "float32")
            if spec["type"] in FRAME_TYPES:
                values = self._frame_divergence(taught[its], given, spec, order, taught["length"], lengths)
            elif spec["type"] == "speaker":
                values = 1.0 - _cosine(self._map(own, given), taught[its])
            else:
                values = self._divergence(taught[its], given, spec, order)
            total = total + self.loss_weights.get(own, 1.0) * _mean(values, taught["weight"])
        for own, its in self.features.items():
            name = f"{self.name}_block_{own}"
            values = self._distance(taught[f"block_{its}"], ops.cast(outputs[name], "float32"), name, taught["length"],
                                    lengths)
            total = total + self.loss_weights.get(FEATURES, 1.0) * _mean(values, taught["weight"])
        return total

    def _divergence(self, taught, given, spec, order):
        """temperature^2 x KL divergence, (batch,); of slots the sum over them."""
        sizes = [len(values) + 1 for values in spec["slots"].values()] if spec["type"] == "slots" else [given.shape[-1]]
        edges, total = np.cumsum([0, *sizes]), 0.0
        taught = ops.take(taught, order, axis=-1)
        for first, last in zip(edges, edges[1:]):
            one, other = (ops.log_softmax(values[:, first:last] / self.temperature) for values in (taught, given))
            total = total + ops.sum(ops.exp(one) * (one - other), axis=-1)
        return self.temperature ** 2 * total

    def _frame_divergence(self, taught, given, spec, order, taught_lengths, lengths):
        """KL divergence (batch,): the sum over the frames for `ctc`, their mean otherwise."""
        pool = _pool_peaks if spec["type"] == "ctc" else _pool_mean
        taught, valid = align_frames(ops.exp(ops.take(taught, order, axis=-1)), taught_lengths, lengths,
                                     ops.shape(given)[1], self.ratio, pool)
        logs = ops.log(ops.maximum(taught, _SMALLEST))
        frames = valid * ops.sum(taught * (logs - ops.log_softmax(given)), axis=-1)
        total = ops.sum(frames, axis=1)
        return total if spec["type"] == "ctc" else total / ops.maximum(ops.sum(valid, axis=1), 1.0)

    def _distance(self, taught, given, name, taught_lengths, lengths):
        """Mean squared difference (batch,) of mapped frames and normalised ones of the teacher."""
        mean, variance = (ops.mean(taught, axis=-1, keepdims=True), ops.var(taught, axis=-1, keepdims=True))
        taught, valid = align_frames((taught - mean) * ops.rsqrt(variance + 1e-5), taught_lengths, lengths,
                                     ops.shape(given)[1], self.ratio, _pool_mean)
        frames = valid * ops.mean(ops.square(self._map(name, given) - taught), axis=-1)
        return ops.sum(frames, axis=1) / ops.maximum(ops.sum(valid, axis=1), 1.0)

    def _map(self, name, values):
        if name not in self.maps:
            return values
        kernel, bias = self.maps[name]
        return ops.matmul(values, kernel) + bias


class _Unseen:
    """Hides a model from Keras, which would take its weights for those of the penalty."""

    def __init__(self, value):
        self.value = value


def align_frames(values, taught_lengths, lengths, num_frames, ratio: float, pool) -> tuple:
    """The teacher's frames at those of the student; see `Teacher`.

    Args:
        values: float32 (batch, teacher frames, channels).
        taught_lengths, lengths: int32 (batch,), frames of teacher and student that are not padding.
        num_frames: Frames of the student, with padding.
        ratio: Teacher frames that one of the student's lasts.
        pool: (float32 (batch, num_frames, window, channels), bool (batch, num_frames, window, 1)) -> (batch,
            num_frames, channels).

    Returns:
        float32 (batch, num_frames, channels); float32 (batch, num_frames), 1 where both have a frame.
    """
    frames = ops.arange(num_frames, dtype="int32")
    number = ops.cast(frames, "float32")
    if ratio > 1:  # from the first middle in the frame to the first behind it
        first, behind = (ops.cast(ops.ceil((number + step) * ratio - 0.5 - 1e-4), "int32") for step in (0, 1))
    else:
        first = ops.cast(ops.floor((number + 0.5) * ratio), "int32")
        behind = first + 1
    window = first[:, None] + ops.arange(int(np.ceil(ratio)), dtype="int32")
    inside = ops.logical_and(window < behind[:, None], window < taught_lengths[:, None, None])[..., None]
    taken = ops.take(values, ops.minimum(window, ops.shape(values)[1] - 1), axis=1)
    valid = ops.logical_and(first < taught_lengths[:, None], frames < lengths[:, None])
    return pool(taken, inside), ops.cast(valid, "float32")


def _pool_mean(values, inside):
    inside = ops.cast(inside, "float32")
    return ops.sum(values * inside, axis=2) / ops.maximum(ops.sum(inside, axis=2), 1.0)


def _pool_peaks(values, inside):
    """Of CTC posteriors: greatest of each unit, smallest of the blank, and that they add up to one."""
    blank = ops.min(ops.where(inside, values[..., :1], 1.0), axis=2)
    units = ops.max(ops.where(inside, values[..., 1:], 0.0), axis=2)
    both = ops.concatenate([blank, units], axis=-1)
    return both / ops.maximum(ops.sum(both, axis=-1, keepdims=True), _SMALLEST)


def _cosine(one, other):
    return ops.sum(one * other, axis=-1) * ops.rsqrt(
        ops.sum(one * one, axis=-1) * ops.sum(other * other, axis=-1) + 1e-8)


def _mean(values, weights):
    """The mean over the rows that have weight; 0 without any."""
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1.0)


def _labels(spec):
    """What an output's numbers stand for, in order."""
    if spec["type"] == "slots":
        return [(name, value) for name, values in spec["slots"].items() for value in (None, *values)]
    names = spec["units"] if "units" in spec else spec["classes"]
    return [None, *names] if spec["type"] == "ctc" else list(names)


def _difference(own, its) -> str | None:
    """Why an output can't be taught by another, in words; None when it can."""
    if its["type"] not in TYPES:
        return f"it is of type '{its['type']}'; ask for frames of its backbone (features: {{block: block}})"
    if own["type"] != its["type"]:
        return f"it is of type '{its['type']}', and not of '{own['type']}'"
    if own["type"] == "speaker":
        return None
    mine, theirs = _labels(own), _labels(its)
    if own["type"] == "slots" and mine != theirs:
        return "their slots differ"
    lacking = set(map(str, mine)) ^ set(map(str, theirs))
    return f"only one of the two has {', '.join(sorted(lacking)[:3])}" if lacking else None


def _order(own, its):
    """Numbers of the teacher's columns in the order of the student's."""
    if own["type"] == "speaker":
        return None
    theirs = _labels(its)
    return np.array([theirs.index(label) for label in _labels(own)], np.int32)


def _check_time_axis(data):
    """Raises ConfigError where the student would hear other moments than the teacher did."""
    for name in ("speed", "shift"):
        if getattr(data.augment, name).probability > 0:
            raise ConfigError("training.penalties: 'teacher' hears the recordings as they are, and "
                              f"data.augment.{name} moves them in time; turn it off")
    if data.crop_seconds:
        raise ConfigError("training.penalties: 'teacher' hears whole recordings, and data.crop_seconds cuts them; set "
                          "it to 0")
