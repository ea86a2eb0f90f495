"""Gradients that can be differentiated again, on each backend: the one place where the backends differ.

The rest of this room is `keras.ops` and `stateless_call`.
"""

from collections.abc import Callable

import keras


def value_and_gradients(function: Callable, values: list) -> tuple:
    """A scalar function of tensors, and its gradient with respect to each of them.

    Inside of a function whose gradients are taken, the gradients are themselves differentiated: that is MAML's second
    order.

    Args:
        function: list of tensors -> scalar.
        values: The tensors.

    Returns:
        The scalar, and a list of tensors of the shapes of `values`; zero where the scalar doesn't depend on one.

    Raises:
        ValueError: Keras runs on neither TensorFlow nor JAX.
    """
    if _backend() == "jax":
        import jax

        return jax.value_and_grad(function)(values)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(values)
        value = function(values)
    return value, tape.gradient(value, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def compiled(function: Callable) -> Callable:
    """The function, traced once per shape of its arguments: nested lists and dicts of arrays."""
    if _backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    traced = tf.function(function)
    # An array would be a constant of the graph, and each episode a graph of its own.
    return lambda *arguments: traced(*keras.tree.map_structure(keras.ops.convert_to_tensor, arguments))


def _backend():
    if keras.backend.backend() not in ("tensorflow", "jax"):
        raise ValueError(f"learning to learn takes gradients on the backends tensorflow and jax, not on "
                         f"{keras.backend.backend()}; set KERAS_BACKEND")
    return keras.backend.backend()
