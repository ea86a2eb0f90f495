"""What happens in audio that never ends."""

from dataclasses import dataclass

from speechzoo.decoding.recognition import Recognition


@dataclass
class StreamEvent:
    """Something that was understood in a stream.

    Attributes:
        kind: "partial" (an utterance under way), "utterance" (one that is over), "keyword" or, of a listener that waits
            for it, "wake_word".
        start, end: Seconds from the beginning of the stream.
        recognition: Of an utterance, what every head and the grammar say; of a partial one, transcript and words so
            far; of a keyword, the keyword. All times are seconds from the beginning of the stream.
        stable: Of a partial utterance, the whole words that no further audio can change: a prefix of its transcript.
    """

    kind: str
    start: float
    end: float
    recognition: Recognition
    stable: str | None = None

    def to_dict(self) -> dict:
        """Plain values that JSON can hold."""
        values = {"kind": self.kind, "start": round(self.start, 2), "end": round(self.end, 2)}
        if self.stable is not None:
            values["stable"] = self.stable
        return {**values, **self.recognition.to_dict()}
