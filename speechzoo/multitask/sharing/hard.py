"""One network for all heads."""

from speechzoo.multitask.sharing.sharing import Sharing


class HardSharing(Sharing):
    """Hard parameter sharing: every head reads the frames of the same backbone.

    Reference: Caruana 1997, "Multitask Learning", Machine Learning 28.
    """

    one_network = True
