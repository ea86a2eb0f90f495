"""What a model, an exported file and a served model have in common: recordings in, Recognitions out."""

import itertools
from collections.abc import Iterator

import numpy as np

from speechzoo.audio import stream_audio
from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.commands.decoder import command_decoder
from speechzoo.decoding.pieces import LONGEST_PIECE, Piece, cut_at_pauses, join_pieces, move
from speechzoo.decoding.recognition import Recognition, make_decoders, read_outputs

MAXIMUM_SECONDS = 120.0
"""What `recognize` hears at once. Attention needs memory by the square of the length: 2 minutes take some 500 MB, an
hour would take the machine down."""
_BLOCK_SECONDS = 10.0  # of a long recording that is read at once


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

        A recording longer than `maximum_seconds` is cut at pauses into pieces of at most 30 s, whose answers are joined
        (`speechzoo.decoding.pieces`): an hour takes no more memory than its transcript and one piece.

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
            maximum_seconds: The longest that is heard at once; memory grows with its square. None hears everything at
                once.

        Raises:
            AudioError: The audio can't be read.
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
        """Several recordings at once, of any lengths: each as `recognize` answers it; arguments and errors are its.

        Times are those of the part that is heard.
        """
        audios = list(audios)  # of an array, its rows
        if not audios:
            return []
        heard = _Hearing(self, heads, grammar, decoder)
        results, whole = {}, {}
        for number, audio in enumerate(audios):
            blocks = stream_audio(heard.source(audio, sample_rate), heard.rate, _BLOCK_SECONDS, start, duration)
            begun = _take(blocks, maximum_seconds, heard.rate)
            if maximum_seconds is None or len(begun) <= maximum_seconds * heard.rate:
                whole[number] = begun
            else:
                results[number] = join_pieces(list(heard.pieces(itertools.chain([begun], blocks))), heard.texts)
        if whole:
            results.update(zip(whole, heard.recognitions(list(whole.values()))))
        return [results[number] for number in range(len(audios))]

    def recognize_pieces(self, audio, sample_rate: int | None = None, heads: list[str] | None = None, *, grammar=None,
                         decoder=None, start: float = 0.0, duration: float | None = None,
                         longest: float = LONGEST_PIECE) -> Iterator[Piece]:
        """Recognises a recording of any length piece by piece, cut at pauses, in the memory that one piece needs.

        Args:
            audio, sample_rate, heads, grammar, decoder, start, duration: As of `recognize`.
            longest: Longest piece, seconds.

        Yields:
            The pieces, whose times are those of the recording.

        Raises:
            AudioError, TypeError, GrammarError, ValueError: As `recognize`.

        Example:
            for piece in model.recognize_pieces("lecture.flac"):
                print(f"{piece.start:.1f} s", piece.recognition.transcript)
        """
        heard = _Hearing(self, heads, grammar, decoder)
        source = heard.source(audio, sample_rate)
        yield from heard.pieces(stream_audio(source, heard.rate, _BLOCK_SECONDS, start, duration), start, longest)


class _Hearing:
    """How recordings are heard and read: the model, the heads that are needed, and what reads their outputs."""

    def __init__(self, model, heads, grammar, decoder):
        spec = self.spec = model.spec
        commands = None if grammar is None else command_decoder(grammar, spec)
        self.model, self.rate = model, spec["sample_rate"]
        self.decoders = make_decoders(spec, heads, decoder, commands, model.decode_steps)
        self.needed = list(dict.fromkeys(head for each in self.decoders for head in each.heads))
        for head in self.needed:
            if head not in spec["heads"]:
                raise ValueError(f"a decoder reads head '{head}', which the model doesn't have; it has: "
                                 f"{', '.join(spec['heads'])}. Make the decoder for this model's spec")

    @property
    def texts(self) -> set[str]:
        """Labels whose answers are texts."""
        written = {"transcript", "phones"}
        for name, head_spec in self.spec["heads"].items():
            kind = answer_kind(head_spec)
            if kind.stepwise or kind.writes_words(head_spec):
                written |= {name, head_spec["label"]}
        return written

    def source(self, audio, sample_rate):
        """The audio as `stream_audio` takes it."""
        if isinstance(audio, np.ndarray):
            return audio, self.rate if sample_rate is None else sample_rate
        return audio

    def recognitions(self, samples: list[np.ndarray]) -> list[Recognition]:
        return [read_outputs(outputs, self.decoders) for outputs in self.model.batch_outputs(samples, self.needed)]

    def pieces(self, blocks, start=0.0, longest=LONGEST_PIECE) -> Iterator[Piece]:
        for first, samples in cut_at_pauses(blocks, self.rate, longest):
            begin = start + first / self.rate
            (recognition,) = self.recognitions([samples])
            yield Piece(begin, begin + len(samples) / self.rate, move(recognition, begin))


def _take(blocks, seconds, rate):
    """The beginning of a recording: all of it, or some blocks that are longer than so many seconds."""
    taken, length = [], 0
    for block in blocks:
        taken.append(block)
        length += len(block)
        if seconds is not None and length > seconds * rate:
            break
    return np.concatenate(taken)
