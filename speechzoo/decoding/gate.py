"""What heads say of a speaker is kept only where somebody speaks."""

from dataclasses import dataclass

import numpy as np

from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.decoder import Decoder, output_of
from speechzoo.decoding.heads import find_head

SPEAKER_LABELS = frozenset({"speaker", "gender", "age_group", "emotion", "accent"})
"""`SPEAKER_LABELS` are about whoever speaks."""


@dataclass
class SpeakerGate(Decoder):
    """Takes back what was said of a speaker where the head `speech` hears nobody; it is read behind the other decoders.

    Args:
        name: Name of the head that hears whether somebody speaks.
        head_spec: Its spec.
        labels: What is taken back, as a Recognition keeps it.
    """

    name: str
    head_spec: dict
    labels: tuple[str, ...]

    def __post_init__(self):
        self.heads = (self.name,)

    def __call__(self, outputs: dict[str, np.ndarray]) -> bool:
        """Whether nobody speaks."""
        with output_of(outputs, self.name) as output:
            return answer_kind(self.head_spec).silence(output, self.head_spec) is not None

    def write(self, result, meaning: bool):
        if meaning:
            for label in self.labels:
                result.take_back(label)


def speaker_gate(spec: dict, answered: dict[str, str]) -> SpeakerGate | None:
    """The gate of a model, or None where it has no head `speech`, or nobody asks about a speaker.

    Args:
        spec: The model's, with all of its heads.
        answered: Heads that are read -> what a Recognition keeps their answers as.
    """
    speech = find_head(spec, type="frame_classifier", label="speech")
    labels = tuple(kept for head, kept in answered.items()
                   if spec["heads"][head]["type"] == "speaker" or spec["heads"][head]["label"] in SPEAKER_LABELS)
    return SpeakerGate(speech, spec["heads"][speech], labels) if speech and labels else None
