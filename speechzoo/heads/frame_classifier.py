"""One label per frame: when something sounds."""

import keras

from speechzoo.heads.frame_head import FrameHead


@keras.saving.register_keras_serializable(package="speechzoo")
class FrameClassifierHead(FrameHead):
    """Logits of "nothing" and "something" at each frame, such as whether somebody speaks.

    In a stream it answers for the frames of the step.

    Args:
        classes: Two names: of frames without what is listened for, then of frames with it.
        dropout: Dropout rate of the frames that enter.

    Returns:
        Logits (batch, frames, 2); in the padding the first class has probability one.

    Example:
        >>> head = FrameClassifierHead(["none", "speech"], name="speech")
        >>> head.encode([["none", 0.31], ["speech", 2.6], ["none", 3.0]]).tolist()
        [[1, 31], [2, 260], [1, 300]]
        >>> head.encode("none").tolist()
        [[1, 10000]]
    """

    def __init__(self, classes: list[str], dropout: float = 0.1, **kwargs):
        super().__init__(classes, dropout, **kwargs)
        if len(self.classes) != 2 or self.classes[0] == self.classes[1]:
            raise ValueError(f"head '{self.name}': classes must be two different names, such as none and speech, got "
                             f"{self.classes}")

    def spec(self):
        return {"type": "frame_classifier", "label": self.label, "classes": self.classes}

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}
