"""One training step, whose graph is made once."""

import functools
from collections.abc import Callable

import keras


def make_train_step(model: keras.Model) -> Callable:
    """A function that takes one training step of a compiled MultiTaskModel, as `train_on_batch` does.

    Keras makes the graph of `train_on_batch` for the shapes of the first batch, and again whenever a size turns out to
    vary, three or four times in all and half a minute each for a Conformer. On TensorFlow, this one makes it once for
    every shape.

    Args:
        model: The model; one of its heads must have a loss.

    Returns:
        `step(inputs, targets, weights) -> logs`: the batch as the pipeline gives it; name -> value of the losses and
        metrics of this batch.
    """
    if keras.backend.backend() != "tensorflow":
        return functools.partial(model.train_on_batch, return_dict=True)
    import tensorflow as tf

    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    inputs = {name: tf.TensorSpec(tensor.shape, tensor.dtype) for name, tensor in model.input.items()}
    for penalty in model.penalties:
        inputs |= {name: tf.TensorSpec(*spec) for name, spec in penalty.batch_inputs.items()}
    targets = {name: tf.TensorSpec([None, *head.target_shape], head.target_dtype)
               for name, head in model.heads.items()}
    weights = {name: tf.TensorSpec([None], tf.float32) for name in model.heads}

    @functools.partial(tf.function, input_signature=[(inputs, targets, weights)], autograph=False,
                       jit_compile=model.jit_compile)
    def graph(batch):
        model.reset_metrics()  # outside of the graph a small network's resets take half as long as its training
        return model.train_step(batch)

    return lambda inputs, targets, weights: {name: float(value)
                                             for name, value in graph((inputs, targets, weights)).items()}


def make_unlabelled_step(model: keras.Model) -> Callable:
    """A function that takes one training step of a compiled model whose loss needs no labels.

    Args:
        model: Takes `{"audio": float32 (batch, samples), "audio_length": int32 (batch,)}`; its optimizer is built.

    Returns:
        `step(inputs) -> loss` of the batch, before the step. On TensorFlow one graph is for every shape.
    """
    if keras.backend.backend() != "tensorflow":
        return lambda inputs: float(model.train_on_batch(inputs, return_dict=True)["loss"])
    import tensorflow as tf

    inputs = {"audio": tf.TensorSpec([None, None], tf.float32), "audio_length": tf.TensorSpec([None], tf.int32)}

    @functools.partial(tf.function, input_signature=[inputs], autograph=False)
    def graph(batch):
        model.reset_metrics()
        return model.train_step((batch,))["loss"]

    return lambda inputs: float(graph(inputs))
