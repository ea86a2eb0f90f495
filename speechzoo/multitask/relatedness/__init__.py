"""Which tasks belong together: affinities, gradients, representations, and the grouping that they propose."""

from speechzoo.multitask.relatedness.affinity import gradient_cosines, lookahead_affinities
from speechzoo.multitask.relatedness.cka import linear_cka
from speechzoo.multitask.relatedness.grouping import Grouping, propose_groups

__all__ = ["Grouping", "gradient_cosines", "linear_cka", "lookahead_affinities", "propose_groups"]
