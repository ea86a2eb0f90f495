"""Not far from where the training started, where that mattered for what the model knew."""

from pathlib import Path

import keras
import numpy as np
from keras import ops

from speechzoo.config import ConfigError, DataConfig, SourceConfig
from speechzoo.data.audio_reader import AudioReader
from speechzoo.data.batching import BatchPlan
from speechzoo.data.examples import spread
from speechzoo.registry import find_weights, load
from speechzoo.training.frame_store import pad_rows
from speechzoo.training.patterns import network_weights
from speechzoo.training.penalties.penalty import Penalty


class EWC(Penalty):
    """Elastic weight consolidation: strength / 2 x Fisher information x squared distance from the starting weights.

    The information is that of the task that the model knew: the mean over its recordings of the squared gradient of
    the losses of its heads, at the labels (the diagonal of the empirical Fisher matrix). A weight that the recordings
    say nothing of is free; so are weights that the starting file didn't have.

    Measuring it takes a forward and a backward pass per recording whenever a run starts, and TensorFlow.

    Reference: Kirkpatrick et al. 2017, https://arxiv.org/abs/1612.00796, equation 3.

    Args:
        model: The model that the run starts from: name of a zoo model, folder of a run or of `speechzoo.save`.
        manifest: Recordings of what it knew, with labels.
        split: Those of this split; all when None.
        utterances: How many of them; those at even distances in the manifest.
        strength: The paper's lambda.

    Raises:
        ConfigError: No such model or manifest, or no labels of the model's heads.
        ValueError: A negative strength, or no utterances.
    """

    needs_weights = True
    source_option = "model"

    def __init__(self, model: str, manifest: str, split: str | None = None, utterances: int = 200,
                 strength: float = 100.0, **kwargs):
        super().__init__(**kwargs)
        if strength < 0 or utterances < 1:
            raise ValueError(f"ewc: strength {strength:g} must be 0 or more, and utterances {utterances} 1 or more")
        self.source, self.manifest, self.split = str(model), manifest, split
        self.utterances, self.strength = utterances, strength

    def source_file(self) -> Path:
        """The weights file of the model that the run starts from."""
        try:
            return find_weights(self.source)
        except (OSError, ValueError) as error:
            raise ConfigError(f"training.penalties: 'ewc': {error}") from None

    def start(self, model):
        """Measures the information, and keeps it with the weights."""
        known = load(self.source)
        information = fisher_information(known, Path(self.manifest), self.split, self.utterances)
        self.starts, self.information = {}, {}
        for weight in network_weights(model):
            if weight.trainable and information.get(weight.path, np.zeros(0)).shape == tuple(weight.shape):
                name = weight.path.replace("/", ".")
                self.starts[weight.path], self.information[weight.path] = (
                    self.add_weight(name=f"{name}{suffix}", shape=weight.shape, initializer="zeros", trainable=False)
                    for suffix in ("", ".information"))
                if weight.path in self.loaded:  # otherwise a checkpoint has them
                    self.starts[weight.path].assign(ops.convert_to_numpy(weight))
                    self.information[weight.path].assign(information[weight.path])
        if not self.starts:
            raise ConfigError(f"training.penalties: 'ewc': nothing that trains is in {self.source}")

    def call(self, model, inputs, outputs):
        """The penalty on the model's weights, a scalar; `inputs` and `outputs` of the batch don't matter."""
        total = ops.zeros(())
        for weight in model.trainable_variables:
            if weight.path in self.starts:
                distance = ops.square(ops.cast(weight, "float32") - self.starts[weight.path])
                total = total + 0.5 * self.strength * ops.sum(self.information[weight.path] * distance)
        return total


def fisher_information(model: keras.Model, manifest: Path, split: str | None = None,
                       utterances: int = 200) -> dict[str, np.ndarray]:
    """The diagonal of the empirical Fisher matrix of a model, as it runs after training.

    Args:
        model: A MultiTaskModel.
        manifest, split, utterances: Labelled recordings, see `EWC`.

    Returns:
        Path of a trainable weight -> the mean over the recordings of its squared gradient.

    Raises:
        ConfigError: No such manifest, or none of it has a label of the heads.
        ValueError: A backend without gradients of single recordings.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"ewc takes gradients of single recordings, which needs the TensorFlow backend, not "
                         f"'{keras.backend.backend()}'; set KERAS_BACKEND=tensorflow, or take l2_sp")
    import tensorflow as tf

    heads = {name: head for name, head in model.heads.items() if head.has_loss}
    losses = {name: head.loss() for name, head in heads.items()}
    config = DataConfig(train=[SourceConfig(str(manifest.absolute()), split=split)], seconds_per_batch=1e-3)
    plan = BatchPlan(config.train, config, heads, training=False, labelled_only=True,
                     sample_rate=model.frontend.sample_rate,
                     frame_seconds=model.frontend.frame_seconds * model.backbone.subsampling)
    chosen = spread(len(plan.examples), utterances)
    variables = model.trainable_variables
    totals = [np.zeros(variable.shape, np.float64) for variable in variables]

    @tf.function(reduce_retracing=True)
    def gradients(inputs, targets, weights):
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=False)
            total = sum(tf.reduce_sum(losses[name](targets[name], outputs[name], sample_weight=weights[name]))
                        for name in heads)
        found = tape.gradient(total, [variable.value for variable in variables],
                              unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [tf.convert_to_tensor(gradient) for gradient in found]

    reader, read = AudioReader(plan.examples, plan.sample_rate), 0
    for index in chosen:
        audio = reader.read(index)
        if not len(audio):
            continue
        read += 1
        batch, = plan.sequential(np.array([index]))
        for total, gradient in zip(totals, gradients(pad_rows([audio], batch.num_samples, 1), *plan.targets(batch))):
            total += np.square(np.asarray(gradient))
    return {variable.path: (total / max(read, 1)).astype(np.float32) for variable, total in zip(variables, totals)}
