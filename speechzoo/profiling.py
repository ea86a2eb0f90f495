"""How many multiply-accumulates a model needs, counted on the graph that runs, so that no layer can be forgotten."""

import math


def count_macs(model, seconds: float = 1.0) -> int:
    """Multiply-accumulates of one utterance: all matrix products and convolutions, the front end's included.

    What else a graph does (activations, norms, softmax, a fast Fourier transform) is left out, as the field does.

    Args:
        model: A `MultiTaskModel`.
        seconds: Length of the utterance; attention grows by its square.
    """
    import tensorflow as tf

    audio = tf.TensorSpec((1, round(seconds * model.frontend.sample_rate)), tf.float32)
    # Without autograph, which can't copy a method of a Keras model.
    graph = tf.function(model.forward_unpadded, autograph=False).get_concrete_function(audio).graph
    total = 0
    for operation in graph.get_operations():
        shapes = [tuple(tensor.shape) for tensor in operation.inputs]  # all known: the length is fixed
        if operation.type in ("MatMul", "BatchMatMulV2", "Einsum"):
            total += _product(operation, shapes)
        elif operation.type == "Conv2D":
            total += math.prod(operation.outputs[0].shape) * math.prod(shapes[1][:3])
        elif operation.type == "DepthwiseConv2dNative":
            total += math.prod(operation.outputs[0].shape) * math.prod(shapes[1][:2])
    return total


def _product(operation, shapes):
    output = math.prod(operation.outputs[0].shape)
    if operation.type == "Einsum":
        inputs, result = operation.get_attr("equation").decode().replace(" ", "").split("->")
        sizes = {letter: size for term, shape in zip(inputs.split(","), shapes) for letter, size in zip(term, shape)}
        return output * math.prod([size for letter, size in sizes.items() if letter not in result])
    transposed = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
    return output * shapes[0][-2 if transposed else -1]

