"""A gradient that is turned round on its way back."""

from keras import ops


def reverse_gradient(values, factor):
    """The values as they are; their gradient is that of the result times `-factor`.

    What learns from the result then gets better at it, and what made the values makes it harder. It is a difference of
    two tensors, one of which gradients don't pass, and so runs on every backend.

    Reference: Ganin et al. 2016, https://arxiv.org/abs/1505.07818, section 4.2 (the gradient reversal layer).

    Args:
        values: Tensor of any shape.
        factor: Scalar, 0 or more; a number or a tensor.
    """
    return ops.stop_gradient((1.0 + factor) * values) - factor * values
