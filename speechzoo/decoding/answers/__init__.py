"""Kinds of answers: one object for each type of head output knows how to read, measure, compare, list and serve it.

NumPy only, for devices: what measures answers is imported when it is called.
"""

from speechzoo.decoding.answers.answer import Answer, UnknownLabelError
from speechzoo.decoding.answers.classifier import ClassifierAnswer
from speechzoo.decoding.answers.ctc import CTCAnswer
from speechzoo.decoding.answers.enhancement import EnhancementAnswer
from speechzoo.decoding.answers.frame_classifier import FrameClassifierAnswer
from speechzoo.decoding.answers.seq2seq import Seq2SeqAnswer
from speechzoo.decoding.answers.slots import SlotsAnswer
from speechzoo.decoding.answers.speaker import SpeakerAnswer

# Type in a head's spec -> how its answers are handled. TensorFlow's twins are in `exporters.served.graph_decoding`.
ANSWERS: dict[str, Answer] = {"ctc": CTCAnswer(), "classifier": ClassifierAnswer(), "slots": SlotsAnswer(),
                              "speaker": SpeakerAnswer(), "frame_classifier": FrameClassifierAnswer(),
                              "seq2seq": Seq2SeqAnswer(), "enhancement": EnhancementAnswer()}


def answer_kind(head_spec: dict) -> Answer:
    """How the answers of a head are handled.

    Raises:
        ValueError: A type that this version doesn't know.
    """
    if head_spec["type"] not in ANSWERS:
        raise ValueError(f"unknown head type '{head_spec['type']}'; this version reads {', '.join(ANSWERS)}: "
                         "update speechzoo, or leave the head out")
    return ANSWERS[head_spec["type"]]


__all__ = ["ANSWERS", "Answer", "UnknownLabelError", "answer_kind"]
