"""Fixed weights."""

import keras

from speechzoo.multitask.weighting.weighting import Weighting


@keras.saving.register_keras_serializable(package="speechzoo")
class StaticWeighting(Weighting):
    """Sum of the losses times fixed weights, those of the config. A head without labels adds nothing."""
