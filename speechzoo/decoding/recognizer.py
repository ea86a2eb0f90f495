"""What a model, an exported file and a served model have in common: recordings in, Recognitions out."""

import numpy as np

from speechzoo.audio import load_audio
from speechzoo.decoding.commands.decoder import command_decoder
from speechzoo.decoding.recognition import Recognition, make_decoders, read_outputs

MAXIMUM_SECONDS = 120.0
"""What `recognize` takes at once. Attention needs memory by the square of the length: 2 minutes take some 500 MB, an
hour would take the machine down."""


class Recognizer:
    """Whatever answers recordings. A subclass gives `spec` and `batch_outputs`; all else follows from these.

    It is no abstract base class, because Keras makes an object of every base of a functional model.

    Attributes:
        spec: What decoding needs to read the outputs, of plain values: `{"name", "sample_rate" (Hz), "heads": {name:
            head spec}}`, and `stream` of a model that can stream.
        decode_steps: Head -> step of its decoder (`speechzoo.decoding.attention.search.Step`), of the heads of type
            `seq2seq` that can be decoded here.
        zoo_config: The `ZooConfig` that the model was made from; None where it isn't known, as of an exported file.
    """

    spec: dict
    decode_steps: dict = {}
    zoo_config = None

    def batch_outputs(self, audios: list[np.ndarray], heads: list[str] | None = None) -> list[dict[str, np.ndarray]]:
        """The heads' outputs for several recordings.

        Args:
            audios: float32 (samples,) each, in [-1, 1] at the model's sample rate.
            heads: Heads that are needed; others may be left out, which can be faster. All when None.

        Returns:
            For each recording: head -> array without the batch axis.
        """

    def recognize(self, audio, sample_rate: int | None = None, heads: list[str] | None = None, *, grammar=None,
                  decoder=None, start: float = 0.0, duration: float | None = None,
                  maximum_seconds: float | None = MAXIMUM_SECONDS) -> Recognition:
        """What was said, by whom and how, as far as the model has heads for it.

        Args:
            audio: Path, bytes of an audio file, or array (samples,) or (samples, channels): floats in [-1, 1], or
                uint8, int8, int16 or int32 of full scale.
            sample_rate: Hz of an array; the model's own when None.
            heads: Heads to answer; all when None.
            grammar: Spoken commands, which answer `intent` and `slots`: name or path of a grammar, or whatever else a
                `CommandDecoder` takes. Make the CommandDecoder yourself where recordings follow: it takes a second.
            decoder: For transcripts, such as a `BeamSearch`, a `LexiconSearch` or an `AttentionSearch`; greedy when
                None. See `speechzoo.decoding.recognition.make_decoders`.
            start: Where to begin, seconds.
            duration: How much to hear, seconds; to the end when None.
            maximum_seconds: Refuse more than this at once; memory grows with its square.

        Raises:
            AudioError: The audio can't be read, or is longer than `maximum_seconds`.
            TypeError: `audio` is neither a path nor bytes nor an array.
            GrammarError: A grammar that can't be read.
            ValueError: A head that the model doesn't have, a grammar that it can't decode, or a decoder that was made
                for another model.
        """
        return self.recognize_batch([audio], sample_rate, heads, grammar=grammar, decoder=decoder, start=start,
                                    duration=duration, maximum_seconds=maximum_seconds)[0]

    def recognize_batch(self, audios: list, sample_rate: int | None = None, heads: list[str] | None = None, *,
                        grammar=None, decoder=None, start: float = 0.0, duration: float | None = None,
                        maximum_seconds: float | None = MAXIMUM_SECONDS) -> list[Recognition]:
        """Several recordings at once, of any lengths: each as `recognize` answers it; arguments and errors are its."""
        audios = list(audios)  # of an array, its rows
        if not audios:
            return []
        spec = self.spec
        commands = None if grammar is None else command_decoder(grammar, spec)
        decoders = make_decoders(spec, heads, decoder, commands, self.decode_steps)
        needed = list(dict.fromkeys(head for each in decoders for head in each.heads))
        for head in needed:
            if head not in spec["heads"]:
                raise ValueError(f"a decoder reads head '{head}', which the model doesn't have; it has: "
                                 f"{', '.join(spec['heads'])}. Make the decoder for this model's spec")
        rate = spec["sample_rate"]
        sources = [(audio, rate if sample_rate is None else sample_rate) if isinstance(audio, np.ndarray) else audio
                   for audio in audios]
        samples = [load_audio(source, rate, start, duration, maximum_seconds) for source in sources]
        return [read_outputs(outputs, decoders) for outputs in self.batch_outputs(samples, needed)]
