"""The answer of a head whose text is written by a decoder, step by step."""

from dataclasses import dataclass

import numpy as np

from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.attention.ctc_prefixes import columns_of
from speechzoo.decoding.attention.hypothesis import AttentionHypothesis
from speechzoo.decoding.attention.search import AttentionSearch, Step
from speechzoo.decoding.decoder import Decoder, naming_head, output_of
from speechzoo.decoding.gate import silence_of
from speechzoo.decoding.heads import find_head, find_heads


@dataclass
class AttentionDecoder(Decoder):
    """Reads a `seq2seq` head, unless another head of the model says that nobody speaks.

    Such decoders write text of noise and music. A head for `speech`, or else one of type `ctc`, looks at every frame
    and doesn't: where it has no speech in any frame, there is no text. A head of type `ctc` with the decoder's own
    units scores the texts together with it.

    Args:
        spec: The model's, with all of its heads.
        name: The head's.
        label: Where a Recognition keeps the answer.
        search: How the text is searched for.
        steps: Head -> step of its decoder: `Recognizer.decode_steps`.

    Raises:
        ValueError: There is no step for the head.
    """

    spec: dict
    name: str
    label: str
    search: AttentionSearch
    steps: dict[str, Step]

    def __post_init__(self):
        if self.name not in self.steps:
            raise ValueError(f"head '{self.name}' writes token by token, and nothing here runs these steps: open the "
                             "model with speechzoo.load, or an exported file that has the signature 'decode_step' with "
                             "EdgeModel; or name the other heads")
        self.gate = (find_head(self.spec, type="frame_classifier", label="speech")
                     or find_head(self.spec, type="ctc"))
        shared = {name: columns_of(self.spec["heads"][self.name], self.spec["heads"][name])
                  for name in find_heads(self.spec, type="ctc")} if self.search.ctc_weight else {}
        self.ctc = next((name for name, columns in shared.items() if columns is not None), None)
        self.columns = shared.get(self.ctc)
        self.heads = tuple(dict.fromkeys(name for name in (self.name, self.gate, self.ctc) if name is not None))
        self.labels = (self.label,)

    def __call__(self, outputs: dict[str, np.ndarray]) -> AttentionHypothesis:
        """The text; empty where nobody speaks. Other heads than the decoder's may be missing in `outputs`."""
        if self.gate in outputs:
            silence = silence_of(outputs, self.gate, self.spec["heads"][self.gate])
            if silence is not None:
                return AttentionHypothesis("", confidence=silence)
        with output_of(outputs, self.name) as memory:
            ctc = (outputs[self.ctc], self.columns) if self.ctc in outputs else None
            return self.search(memory, self.spec["heads"][self.name], self.steps[self.name], ctc)

    def write(self, result, meaning: AttentionHypothesis):
        """As `Decoder.write`; its errors name the head."""
        head_spec = self.spec["heads"][self.name]
        with naming_head(self.name):
            answer_kind(head_spec).read(result, self.label, meaning, head_spec)
