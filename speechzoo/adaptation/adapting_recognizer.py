"""A model that becomes surer of the recordings that it hears, while it is used."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from keras import ops

from speechzoo.adaptation.objective import OBJECTIVES
from speechzoo.adaptation.recordings import batches_of, read_recordings
from speechzoo.audio import pad_batch
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.layers.masking import sequence_mask
from speechzoo.names import nearest
from speechzoo.training.patterns import check_patterns, match, network_weights
from speechzoo.training.step import make_unlabelled_step

PATTERNS = ("*/gamma", "*/beta", "backbone/conv*/*", "backbone/subsampling/*")
"""`PATTERNS` are the scales and offsets of normalisations, and the convolutions in front of the blocks, which hear the
features (Lin et al. 2022, section 3)."""
STEPS = 10
"""`STEPS` on each recording where the model forgets it afterwards."""
LEARNING_RATE = 2e-5
"""`LEARNING_RATE` of Lin et al. 2022, section 4, for wav2vec 2.0 base; smaller networks bear more."""


@dataclass
class AdaptationReport:
    """What the recordings did to a model.

    Attributes:
        heads: Heads that became surer.
        weights: Paths of what trained.
        before, after: The objective over the recordings, which nobody has labels of: the mean per recording.
        recordings: How many there were.
        skipped: "id: reason" of those that could not be used.
    """

    heads: list[str]
    weights: list[str]
    before: float
    after: float
    recordings: int
    skipped: list[str] = field(default_factory=list)


class AdaptingRecognizer(Recognizer):
    """Adapts a model to each recording before it answers: what it says is then what makes it surest.

    On each recording alone it takes `steps` steps of AdamW down the objective of its heads: entropy and class confusion
    of the frames for `ctc` (SUTA), entropy for `classifier` (TENT). Episodic: the model then forgets them; otherwise
    it goes on from there, one recording after another. Statistics of batch normalisations stay as they are: take them
    anew first (`recompute_statistics`), where TENT takes those of each batch.

    References: Lin et al. 2022, https://arxiv.org/abs/2203.14222; Wang et al. 2021, https://arxiv.org/abs/2006.10726.

    Args:
        model: A MultiTaskModel. It changes in place; `reset` brings back what it was.
        heads: Heads whose answers shall be sure; those of type `ctc` when None, or else those of type `classifier`.
        steps: Steps on each recording.
        learning_rate: Of AdamW.
        episodic: Forget each recording before the next one.
        patterns: Shell-style patterns on the paths of the weights that train, of which some may match nothing;
            `PATTERNS` when None.

    Raises:
        ConfigError: A pattern given matches nothing.
        ValueError: No model that trains, no head that can be made sure, or no steps.

    Example:
        model = AdaptingRecognizer(speechzoo.load("mtl_conformer_small"))
        model.recognize("learner.wav").transcript
    """

    def __init__(self, model: keras.Model, heads: list[str] | None = None, steps: int = STEPS,
                 learning_rate: float = LEARNING_RATE, episodic: bool = True, patterns: list[str] | None = None):
        if not isinstance(model, keras.Model):
            raise ValueError("only models of the zoo and of runs adapt at test time, and no exported or served ones")
        if steps < 1 or not learning_rate > 0:
            raise ValueError(f"steps {steps} must be 1 or more, and learning_rate {learning_rate:g} above 0")
        self.model, self.steps, self.episodic = model, steps, episodic
        self.heads = _choose_heads(model, heads)
        weights = [weight for weight in network_weights(model) if weight.trainable]
        if patterns is not None:
            check_patterns(patterns, weights, "patterns", "weight that trains")
        chosen = {weight.path for pattern in patterns or PATTERNS for weight in match(pattern, weights)}
        # Other heads' own normalisations get no gradient.
        chosen = {path for path in chosen if path.partition("/")[0] not in set(model.heads) - set(self.heads)}
        self.weights = [weight for weight in weights if weight.path in chosen]
        if not self.weights:
            raise ValueError(f"model '{model.name}' has no weights that match {', '.join(PATTERNS)}; name some "
                             "(patterns)")
        self._resting = [weight for weight in model.weights if weight.trainable and weight.path not in chosen]
        with self._training():
            self._unsure = _Unsure(model, self.heads)
            self._unsure.compile(keras.optimizers.AdamW(learning_rate, weight_decay=0.0),
                                 jit_compile=keras.backend.backend() == "jax")
            self._unsure.optimizer.build(self._unsure.trainable_variables)
            self._step = make_unlabelled_step(self._unsure)
        kept = [*self.weights, *self._unsure.optimizer.variables]
        self._start = [(weight, ops.convert_to_numpy(weight)) for weight in kept]

    @property
    def spec(self) -> dict:
        return self.model.spec

    @property
    def decode_steps(self) -> dict:
        return self.model.decode_steps

    def batch_outputs(self, audios: list[np.ndarray], heads: list[str] | None = None) -> list[dict[str, np.ndarray]]:
        """Every head's output for each recording, for which the model has adapted to it."""
        outputs = []
        for audio in audios:
            self.adapt(*self._pad([audio]), self.steps)
            outputs += self.model.batch_outputs([audio], heads)
            if self.episodic:
                self.reset()
        return outputs

    def adapt(self, audio: np.ndarray, lengths: np.ndarray, steps: int = 1) -> list[float]:
        """Takes steps on a batch; the objective before each.

        Args:
            audio: float32 (batch, samples).
            lengths: int32 (batch,).
            steps: How many.
        """
        with self._training():
            return [self._step({"audio": audio, "audio_length": lengths}) for _ in range(steps)]

    def objective(self, audio: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """How unsure the model is, float32 (batch,); arguments as of `adapt`."""
        outputs = self._unsure.predict_on_batch({"audio": audio, "audio_length": lengths})
        return ops.convert_to_numpy(self._unsure.objective(outputs))

    def reset(self):
        """The model as it was, and no memory of the steps."""
        for weight, value in self._start:
            weight.assign(value)

    def _pad(self, audios):
        """A batch; its samples are whole seconds, so that few shapes exist."""
        rate = self.model.frontend.sample_rate
        longest = max(max(map(len, audios)), self.model.minimum_samples)
        return pad_batch(audios, -(-longest // rate) * rate)

    @contextlib.contextmanager
    def _training(self):
        """Within, no other weight trains."""
        for weight in self._resting:
            weight.trainable = False
        try:
            yield
        finally:
            for weight in self._resting:
                weight.trainable = True


def minimize_entropy(model: keras.Model, recordings: str | Path | list, heads: list[str] | None = None,
                     passes: int = 1, learning_rate: float = LEARNING_RATE, patterns: list[str] | None = None,
                     split: str | None = None, batch_seconds: float = 30.0) -> AdaptationReport:
    """Adapts a model to unlabelled recordings, once and for all: one step per batch, and it remembers.

    The model changes in place; save it with `speechzoo.save`, and it loads, exports and runs as any other. See
    `AdaptingRecognizer` for what is minimised.

    Args:
        model: A MultiTaskModel.
        recordings: Folder, manifest, or paths, see `read_recordings`; labels aren't looked at.
        heads, learning_rate, patterns: As of `AdaptingRecognizer`.
        passes: How often each recording is heard.
        split: Of a manifest, only the utterances of this split.
        batch_seconds: Seconds of audio of a step.

    Raises:
        ConfigError: A pattern given matches nothing.
        ManifestError: The manifest can't be read.
        ValueError: No recordings that can be used, no head that can be made sure, or no passes.

    Example:
        report = minimize_entropy(model, "kitchen")
        speechzoo.save(model, "models/kitchen")
    """
    if passes < 1:
        raise ValueError(f"passes {passes} must be 1 or more")
    adapting = AdaptingRecognizer(model, heads, 1, learning_rate, episodic=False, patterns=patterns)
    found, skipped = read_recordings(recordings, split), []

    def batches():
        for audio, lengths in batches_of(found, model.frontend.sample_rate, model.minimum_samples, skipped,
                                         batch_seconds):
            yield adapting._pad([row[:length] for row, length in zip(audio, lengths)])

    def measure():
        values = [adapting.objective(*batch) for batch in batches()]
        if not values:
            raise ValueError(f"{recordings}: no recording that can be used" + (f"; {skipped[0]}" if skipped else ""))
        return np.concatenate(values)

    before = measure()
    for _ in range(passes):
        for batch in batches():
            adapting.adapt(*batch)
    after = measure()
    return AdaptationReport(adapting.heads, [weight.path for weight in adapting.weights], float(before.mean()),
                            float(after.mean()), len(before), skipped)


class _Unsure(keras.Model):
    """A model whose loss is how unsure some of its heads are, and which runs as after training."""

    def __init__(self, network, heads):
        super().__init__(name="unsure")
        self.network, self.names = network, list(heads)
        self.types = {name: network.heads[name].spec()["type"] for name in heads}

    def call(self, inputs, training=None):
        network = self.network
        features, lengths = network.frontend(inputs["audio"], inputs["audio_length"], training=False)
        blocks = {name: network.blocks[name] for name in self.names}
        frames, lengths = network.sharing(features, lengths, blocks, training=False)
        outputs = {name: network.heads[name](frames[name], lengths, training=False) for name in self.names}
        return {**outputs, "frame_length": lengths}

    def objective(self, outputs):
        """(batch,): the sum over the heads."""
        total = 0.0
        for name in self.names:
            logits = ops.cast(outputs[name], "float32")
            valid = sequence_mask(outputs["frame_length"], logits)[..., 0] if len(logits.shape) == 3 else None
            total = total + OBJECTIVES[self.types[name]](logits, valid)
        return total

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(self.objective(y_pred))


def _choose_heads(model, heads):
    types = {name: head.spec()["type"] for name, head in model.heads.items()}
    for name in heads or ():
        if name not in types:
            raise ValueError(f"model '{model.name}' has no head '{name}'; {nearest(name, types)}")
        if types[name] not in OBJECTIVES:
            raise ValueError(f"head '{name}' is of type '{types[name]}'; only {' and '.join(OBJECTIVES)} can be made "
                             "sure")
    for kind in OBJECTIVES:
        found = list(heads or (name for name in types if types[name] == kind))
        if found:
            return found
    raise ValueError(f"model '{model.name}' has no head of type {' or '.join(OBJECTIVES)}")
