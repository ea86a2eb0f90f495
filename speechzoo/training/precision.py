"""How exactly a training run multiplies."""

import keras

from speechzoo.config import ConfigError


def use_precision(precision: str):
    """Makes TensorFlow's graphs of this process multiply in float32 or in bfloat16.

    With bfloat16, matrix products and convolutions take rounded numbers and add them up in float32; weights, losses and
    all other operators stay in float32. Processors that multiply such numbers natively (AVX512_BF16, AMX) train 1.5
    times as fast (`benchmarks/speed/precision.py`); on others TensorFlow leaves everything in float32 and says so.
    Everything in the process takes part, measuring on dev too.

    Args:
        precision: `float32` or `bfloat16`.

    Raises:
        ConfigError: bfloat16 on another backend than TensorFlow.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options(
            {"auto_mixed_precision_onednn_bfloat16": precision == "bfloat16"})
    elif precision != "float32":
        raise ConfigError(f"training.precision: {precision} needs the TensorFlow backend, and this is "
                          f"{keras.backend.backend()}; set training.precision=float32")
