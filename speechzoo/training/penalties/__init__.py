"""Penalties: what the loss of a training step has beside the losses of the heads."""

from speechzoo.training.penalties.adversarial import Adversarial
from speechzoo.training.penalties.coral import CORAL
from speechzoo.training.penalties.domain_penalty import DomainPenalty
from speechzoo.training.penalties.ewc import EWC
from speechzoo.training.penalties.l2_sp import L2SP
from speechzoo.training.penalties.mmd import MMD
from speechzoo.training.penalties.penalty import Penalty
from speechzoo.training.penalties.teacher import Teacher

# Name in a zoo config -> class.
PENALTIES = {"adversarial": Adversarial, "coral": CORAL, "ewc": EWC, "l2_sp": L2SP, "mmd": MMD, "teacher": Teacher}

__all__ = ["Adversarial", "CORAL", "DomainPenalty", "EWC", "L2SP", "MMD", "PENALTIES", "Penalty", "Teacher"]
