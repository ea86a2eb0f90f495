"""Weightings: how the heads' losses, or the gradients that these have, become one."""

from speechzoo.multitask.weighting.cagrad import CAGradWeighting
from speechzoo.multitask.weighting.dwa import DWAWeighting
from speechzoo.multitask.weighting.famo import FAMOWeighting
from speechzoo.multitask.weighting.gradient import GradientWeighting
from speechzoo.multitask.weighting.gradnorm import GradNormWeighting
from speechzoo.multitask.weighting.imtl import IMTLWeighting
from speechzoo.multitask.weighting.mgda import MGDAWeighting
from speechzoo.multitask.weighting.nash_mtl import NashMTLWeighting
from speechzoo.multitask.weighting.pcgrad import PCGradWeighting
from speechzoo.multitask.weighting.rlw import RLWWeighting
from speechzoo.multitask.weighting.static import StaticWeighting
from speechzoo.multitask.weighting.uncertainty import UncertaintyWeighting
from speechzoo.multitask.weighting.weighting import Weighting

# Name in a zoo config -> class.
WEIGHTINGS = {
    "static": StaticWeighting, "uncertainty": UncertaintyWeighting, "dwa": DWAWeighting, "rlw": RLWWeighting,
    "famo": FAMOWeighting, "gradnorm": GradNormWeighting, "pcgrad": PCGradWeighting, "mgda": MGDAWeighting,
    "cagrad": CAGradWeighting, "imtl": IMTLWeighting, "nash_mtl": NashMTLWeighting,
}

__all__ = ["WEIGHTINGS", "CAGradWeighting", "DWAWeighting", "FAMOWeighting", "GradNormWeighting", "GradientWeighting",
           "IMTLWeighting", "MGDAWeighting", "NashMTLWeighting", "PCGradWeighting", "RLWWeighting", "StaticWeighting",
           "UncertaintyWeighting", "Weighting"]
