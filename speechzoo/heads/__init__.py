"""Heads: frames -> one task's output, with its loss, its metrics and its labels."""

from speechzoo.heads.alignment import AlignmentHead
from speechzoo.heads.classifier import ClassifierHead
from speechzoo.heads.ctc import CTCHead
from speechzoo.heads.head import Head
from speechzoo.heads.slots import SlotsHead
from speechzoo.heads.speaker import SpeakerHead
from speechzoo.heads.spotter import SpotterHead
from speechzoo.heads.svm import SVMHead

# Name in a zoo config -> class.
HEADS = {"ctc": CTCHead, "classifier": ClassifierHead, "slots": SlotsHead, "speaker": SpeakerHead, "svm": SVMHead,
         "alignment": AlignmentHead, "spotter": SpotterHead}

__all__ = ["HEADS", "AlignmentHead", "CTCHead", "ClassifierHead", "Head", "SVMHead", "SlotsHead", "SpeakerHead",
           "SpotterHead"]
