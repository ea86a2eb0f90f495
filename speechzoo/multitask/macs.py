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
    functions = {function.signature.name: function for function in graph.as_graph_def(add_shapes=True).library.function}
    total = 0
    for operation in graph.get_operations():
        shapes = [tuple(tensor.shape) for tensor in operation.inputs]  # all known: the length is fixed
        if operation.type in ("MatMul", "BatchMatMulV2", "Einsum"):
            total += _product(operation, shapes)
        elif operation.type == "Conv2D":
            total += math.prod(operation.outputs[0].shape) * math.prod(shapes[1][:3])
        elif operation.type == "DepthwiseConv2dNative":
            total += math.prod(operation.outputs[0].shape) * math.prod(shapes[1][:2])
        elif operation.type in ("While", "StatelessWhile"):
            total += _loop(operation, functions[operation.get_attr("body").name])
    return total


def _loop(operation, body):
    """A recurrent layer: the products of one step, for every frame in the list that the loop reads."""
    steps = max(tensor.op.inputs[0].shape[0] for tensor in operation.inputs if tensor.op.type == "TensorListFromTensor")
    shapes = {node.name: [dimension.size for dimension in node.attr["_output_shapes"].list.shape[0].dim]
              for node in body.node_def if node.attr["_output_shapes"].list.shape}
    total = 0
    for node in body.node_def:
        if node.op == "MatMul":
            weights = shapes[node.input[1].split(":")[0]]
            total += math.prod(shapes[node.name]) * weights[1 if node.attr["transpose_b"].b else 0]
    return steps * total


def _product(operation, shapes):
    output = math.prod(operation.outputs[0].shape)
    if operation.type == "Einsum":
        inputs, result = operation.get_attr("equation").decode().replace(" ", "").split("->")
        sizes = {letter: size for term, shape in zip(inputs.split(","), shapes) for letter, size in zip(term, shape)}
        return output * math.prod([size for letter, size in sizes.items() if letter not in result])
    transposed = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
    return output * shapes[0][-2 if transposed else -1]

