"""One network for all heads."""

import keras

from speechzoo.multitask.sharing.sharing import Sharing


@keras.saving.register_keras_serializable(package="speechzoo")
class HardSharing(Sharing):
    """Hard parameter sharing: every head reads the frames of the same backbone.

    Reference: Caruana 1997, "Multitask Learning", Machine Learning 28.
    """

    one_network = True
