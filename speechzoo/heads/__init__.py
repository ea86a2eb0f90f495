"""Heads: frames -> one task's output, with its loss, its metrics and its labels."""

from speechzoo.heads.classifier import ClassifierHead
from speechzoo.heads.ctc import CTCHead
from speechzoo.heads.enhancement import EnhancementHead
from speechzoo.heads.frame_classifier import FrameClassifierHead
from speechzoo.heads.frame_phones import AlignmentHead
from speechzoo.heads.head import Head
from speechzoo.heads.relation import RelationHead
from speechzoo.heads.seq2seq import Seq2SeqHead
from speechzoo.heads.slots import SlotsHead
from speechzoo.heads.speaker import SpeakerHead
from speechzoo.heads.spotter import SpotterHead
from speechzoo.heads.svm import SVMHead
from speechzoo.heads.words import WordsHead

# Name in a zoo config -> class.
HEADS = {"ctc": CTCHead, "classifier": ClassifierHead, "slots": SlotsHead, "speaker": SpeakerHead, "svm": SVMHead,
         "alignment": AlignmentHead, "spotter": SpotterHead, "frame_classifier": FrameClassifierHead,
         "seq2seq": Seq2SeqHead, "relation": RelationHead, "words": WordsHead, "enhancement": EnhancementHead}

__all__ = ["HEADS", "AlignmentHead", "CTCHead", "ClassifierHead", "EnhancementHead", "FrameClassifierHead", "Head",
           "RelationHead", "SVMHead", "Seq2SeqHead", "SlotsHead", "SpeakerHead", "SpotterHead", "WordsHead"]
