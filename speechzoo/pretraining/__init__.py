"""Learning from recordings without labels: objectives, which teach a backbone while it trains."""

from speechzoo.heads import HEADS
from speechzoo.pretraining.apc import APC
from speechzoo.pretraining.best_rq import BestRQ
from speechzoo.pretraining.masked_prediction import MaskedPrediction
from speechzoo.pretraining.objective import Objective

# Type of a head in a zoo config -> class.
OBJECTIVES = {"apc": APC, "best_rq": BestRQ, "masked_prediction": MaskedPrediction}


def head_types() -> dict:
    """Every type that a head of a config may have -> its class: the heads, and the objectives."""
    return HEADS | OBJECTIVES


__all__ = ["APC", "BestRQ", "MaskedPrediction", "OBJECTIVES", "Objective", "head_types"]
