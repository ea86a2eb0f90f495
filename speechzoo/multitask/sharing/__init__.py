"""Sharings: which parts of the network the heads have in common."""

from speechzoo.multitask.sharing.adapters import AdapterSharing
from speechzoo.multitask.sharing.branching import BranchingSharing
from speechzoo.multitask.sharing.cross_stitch import CrossStitchSharing
from speechzoo.multitask.sharing.hard import HardSharing
from speechzoo.multitask.sharing.mmoe import MMoESharing
from speechzoo.multitask.sharing.mtan import MTANSharing
from speechzoo.multitask.sharing.nddr import NDDRSharing
from speechzoo.multitask.sharing.ple import PLESharing
from speechzoo.multitask.sharing.sharing import Sharing
from speechzoo.multitask.sharing.soft import SoftSharing

# Name in a zoo config -> class.
SHARINGS = {
    "hard": HardSharing, "soft": SoftSharing, "cross_stitch": CrossStitchSharing, "nddr": NDDRSharing,
    "mmoe": MMoESharing, "ple": PLESharing, "mtan": MTANSharing, "adapters": AdapterSharing,
    "branching": BranchingSharing,
}

__all__ = ["SHARINGS", "AdapterSharing", "BranchingSharing", "CrossStitchSharing", "HardSharing", "MMoESharing",
           "MTANSharing", "NDDRSharing", "PLESharing", "Sharing", "SoftSharing"]
