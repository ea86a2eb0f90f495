"""What heads say of a speaker is kept only where somebody speaks."""

from dataclasses import dataclass

import numpy as np

from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.decoder import Decoder, output_of
from speechzoo.decoding.heads import find_head

SPEAKER_LABELS = frozenset({"speaker", "gender", "age_group", "emotion", "accent"})
"""`SPEAKER_LABELS` are about whoever speaks."""
SPEECH_CLASS = "speech"
"""`SPEECH_CLASS` is the sound event that somebody speaks."""


@dataclass
class SpeakerGate(Decoder):
    """Takes back what was said of a speaker where the head `speech` hears nobody; it is read behind the other decoders.

    A sound event that is called `speech` there is taken back, too: the heads contradict each other.

    Args:
        name: Name of the head that hears whether somebody speaks.
        head_spec: Its spec.
        labels: What is taken back, as a Recognition keeps it.
        sounds: Those of them that say which sound is heard.
    """

    name: str
    head_spec: dict
    labels: tuple[str, ...]
    sounds: tuple[str, ...] = ()

    def __post_init__(self):
        self.heads = (self.name,)

    def __call__(self, outputs: dict[str, np.ndarray]) -> bool:
        """Whether nobody speaks."""
        return silence_of(outputs, self.name, self.head_spec) is not None

    def write(self, result, meaning: bool):
        if meaning:
            for label in self.labels:
                if label not in self.sounds or result.answer(label) == SPEECH_CLASS:
                    result.take_back(label)


def silence_of(outputs: dict[str, np.ndarray], name: str, head_spec: dict) -> float | None:
    """How sure a head is that nobody speaks, 0 to 1; None where somebody does, or it can't say (`Answer.silence`).

    Args:
        outputs: Head -> array without the batch axis.
        name: The head's.
        head_spec: The head's.

    Raises:
        ValueError: Its output is missing, of another shape, or not finite.
    """
    with output_of(outputs, name) as output:
        return answer_kind(head_spec).silence(output, head_spec)


def speaker_gate(spec: dict, answered: dict[str, str]) -> SpeakerGate | None:
    """The gate of a model, or None where it has no head `speech`, or nobody asks about a speaker.

    Args:
        spec: The model's, with all of its heads.
        answered: Heads that are read -> what a Recognition keeps their answers as.
    """
    speech = find_head(spec, type="frame_classifier", label="speech")
    heads = {kept: spec["heads"][head] for head, kept in answered.items()}
    sounds = tuple(kept for kept, head in heads.items() if SPEECH_CLASS in head.get("classes", ()) and
                   head["type"] == "classifier")
    labels = tuple(kept for kept, head in heads.items()
                   if kept in sounds or head["type"] == "speaker" or head["label"] in SPEAKER_LABELS)
    return SpeakerGate(speech, spec["heads"][speech], labels, sounds) if speech and labels else None
