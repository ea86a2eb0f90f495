"""What a model hears, under the grammar that is open for whoever speaks."""

from pathlib import Path

import numpy as np

from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.commands.parse import Parse
from speechzoo.decoding.heads import find_head, find_heads
from speechzoo.dialogue.machine import SOMEBODY, Machine
from speechzoo.dialogue.openings import Opening
from speechzoo.edge.voices import Voices
from speechzoo.text.letter_to_sound import default_lexicon
from speechzoo.text.lexicon import load_lexicon

STILL_THE_SAME = 0.5
"""`STILL_THE_SAME` is the least cosine with somebody who was asked something: an answer is too short to know a voice
by, and few others answer. Voices in one recording are told apart at this cosine (`speechzoo.decoding.speakers`)."""


class OpenCommands(CommandDecoder):
    """A `CommandDecoder` whose grammar is that of the point at which the speaker's dialogue stands.

    Each grammar is compiled when it is first needed, which takes a fraction of a second.

    Args:
        machine: The dialogue and where everybody is in it.
        spec: The model's spec.
        lexicon, threshold: As of `CommandDecoder`.
        voices: Tells people apart, by the embedding that the same outputs hold; without it everybody is one.

    Raises:
        ValueError: As `CommandDecoder`.

    Attributes:
        now: Seconds since 1970, for what is forgotten after a while; whoever feeds the model keeps it.
        person: Who spoke last.
        parse: What was understood last, accepted or not.
    """

    def __init__(self, machine: Machine, spec: dict, lexicon: str | Path | None = None, threshold: float | None = None,
                 voices: Voices | None = None):
        self.machine, self.voices = machine, voices
        self.now, self.person, self.parse = 0.0, SOMEBODY, Parse()
        self._spec, self._threshold = spec, threshold
        # One lexicon for all openings: reading CMUdict takes a second.
        spoken = find_head(spec, type="ctc", kind="phones")
        if isinstance(lexicon, (str, Path)):
            self._lexicon = load_lexicon(lexicon)
        else:
            self._lexicon = default_lexicon() if lexicon is None and spoken else lexicon
        # As a `CommandDecoder` does: without a lexicon of its own, words that it can't pronounce are read from letters.
        written = {name: head for name, head in spec["heads"].items() if head.get("kind") != "phones"}
        spelt = lexicon is None and find_head({"heads": written}, type="ctc") is not None
        self._spelt = {**spec, "heads": written} if spelt else None
        self._decoders: dict[Opening, CommandDecoder] = {}
        first = self.decoder(machine.opening(self.now))
        self.head, self.speech, self.compiled = first.head, first.speech, first.compiled
        # An opening whose words have no pronunciations is read from letters.
        self.heads = tuple(dict.fromkeys([*find_heads(spec, type="ctc"), *filter(None, [first.speech])]))
        self._speaker = None
        if voices is not None:
            self._speaker = find_head(spec, type="speaker", label="speaker") or find_head(spec, type="speaker")
            self.heads += (self._speaker,)

    def __call__(self, outputs: dict[str, np.ndarray]) -> Parse:
        """The best sentence of those that are open for whoever speaks, accepted or not; see `CommandDecoder`."""
        self.person = self._who(outputs)
        self.parse = self.decoder(self.machine.opening(self.now, self.person))(outputs)
        return self.parse

    def decoder(self, opening: Opening) -> CommandDecoder:
        """The decoder of one point of the dialogue."""
        if opening not in self._decoders:
            grammar = self.machine.openings.grammar(opening)
            try:
                self._decoders[opening] = CommandDecoder(grammar, self._spec, self._lexicon, self._threshold)
            except ValueError:
                if self._spelt is None:
                    raise
                self._decoders[opening] = CommandDecoder(grammar, self._spelt, None, self._threshold)
        return self._decoders[opening]

    def prepare(self, person: str):
        """Compiles what somebody may say next, before they say it."""
        self.decoder(self.machine.opening(self.now, person))

    def _who(self, outputs) -> str:
        if self._speaker is None:
            return SOMEBODY
        embedding = np.asarray(outputs[self._speaker], np.float64)
        name, cosine = self.voices.nearest(embedding / max(np.linalg.norm(embedding), 1e-9))
        enough = STILL_THE_SAME if name in self.machine.waiting else self.voices.threshold
        return name if name is not None and cosine >= enough else SOMEBODY
