"""Weightings: how the heads' losses become one."""

from speechzoo.multitask.weighting.static import StaticWeighting
from speechzoo.multitask.weighting.uncertainty import UncertaintyWeighting

# Name in a zoo config -> class.
WEIGHTINGS = {"static": StaticWeighting, "uncertainty": UncertaintyWeighting}

__all__ = ["WEIGHTINGS", "StaticWeighting", "UncertaintyWeighting"]
