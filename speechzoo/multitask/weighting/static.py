"""Fixed weights."""

from speechzoo.multitask.weighting.weighting import Weighting


class StaticWeighting(Weighting):
    """Sum of the losses times fixed weights, those of the config. A head without labels adds nothing."""
