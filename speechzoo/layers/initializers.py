"""How the weights of deep backbones start."""

import keras


def residual_branch():
    """For the last layer of a residual branch: starts small, so that a deep stack passes its input on.

    With the usual variance every block adds as much as it receives. What attention and convolution add is nearly the
    same at every frame, so after six blocks frames would hardly differ any more, and training can't get that back.
    """
    return keras.initializers.VarianceScaling(0.05, "fan_avg", "uniform")


def depthwise(taps: int):
    """For a depthwise convolution of so many taps: Keras counts the channels as inputs, and starts far too small."""
    return keras.initializers.RandomUniform(-(3.0 / taps) ** 0.5, (3.0 / taps) ** 0.5)
