"""Backbones: features -> frames, one architecture a file."""

from speechzoo.backbones.conformer import Conformer
from speechzoo.backbones.ds_cnn import DSCNN

# Name in a zoo config -> class.
BACKBONES = {"conformer": Conformer, "ds_cnn": DSCNN}

__all__ = ["BACKBONES", "Conformer", "DSCNN"]
