"""Which phone is spoken at each frame: an auxiliary task with a target for every frame."""

import keras

from speechzoo.heads.frame_head import FrameHead
from speechzoo.text.units import PHONES, SILENCE_PHONE


@keras.saving.register_keras_serializable(package="speechzoo")
class AlignmentHead(FrameHead):
    """Logits of silence and the phones at each frame, for utterances whose phones have times.

    CTC has to find out where each unit stands while it learns what it sounds like; with a few hours of transcribed
    speech most of the training goes into that. A forced alignment (`speechzoo align`) says where, so that every frame
    teaches the backbone. The head is of no use afterwards and isn't part of the models that `speechzoo.load` gives.

    Args:
        dropout: Dropout rate of the frames that enter.

    Returns:
        Logits (batch, frames, 1 + phones); in the padding silence has probability one.

    Reference: Sak et al. 2015, https://arxiv.org/abs/1507.06947, who start CTC networks from frame-wise targets.

    Example:
        >>> AlignmentHead(name="alignment").encode([["SIL", 0.5], ["HH", 0.58], ["AY", 0.81]]).tolist()
        [[1, 50], [17, 58], [7, 81]]
    """

    auxiliary = True

    def __init__(self, dropout: float = 0.1, **kwargs):
        super().__init__([SILENCE_PHONE, *PHONES], dropout, **kwargs)

    def spec(self):
        return {"type": "alignment", "label": self.label, "units": self.classes}
