"""Penalties: what the loss of a training step has beside the losses of the heads."""

from speechzoo.training.penalties.ewc import EWC
from speechzoo.training.penalties.l2_sp import L2SP
from speechzoo.training.penalties.penalty import Penalty
from speechzoo.training.penalties.teacher import Teacher

# Name in a zoo config -> class.
PENALTIES = {"ewc": EWC, "l2_sp": L2SP, "teacher": Teacher}

__all__ = ["EWC", "L2SP", "PENALTIES", "Penalty", "Teacher"]
