"""Greedy and beam search through a decoder that writes one token after the other."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from speechzoo.decoding.attention.alignment import attention_centres, tokens_before_return
from speechzoo.decoding.attention.ctc_prefixes import CTCPrefixes
from speechzoo.decoding.attention.hypothesis import AttentionHypothesis
from speechzoo.decoding.attention.rules import TokenRules, normalised, repeated
from speechzoo.decoding.attention.special_tokens import SpecialTokens
from speechzoo.decoding.attention.words import has_letters, make_segments, make_words
from speechzoo.text.units import Units, units_of

TOKENS_PER_SECOND, LEAST_TOKENS = 25, 12
"""A text has at most `TOKENS_PER_SECOND` for each second of audio, but may have `LEAST_TOKENS`: the fastest speakers
say some 25 letters a second, and a token holds one at least."""
COMPRESSION_RATIO = 2.4
"""A text that zlib makes smaller by more than `COMPRESSION_RATIO` repeats itself (Radford et al. 2022, section 4.5)."""
REPEATED_TOKENS = 3
"""Where a text repeats itself, a second search writes no `REPEATED_TOKENS` in a row that it has written before."""
NO_SPEECH, LOG_PROBABILITY = 0.6, -1.0
"""Nobody speaks where the token that says so has a probability above `NO_SPEECH`, and the text's tokens a mean
log-probability below `LOG_PROBABILITY`, nats (Radford et al. 2022, section 4.5)."""
DOUBTED_NO_SPEECH, DOUBTED_LOG_PROBABILITY = 0.2, -1.5
"""Nor where it is above `DOUBTED_NO_SPEECH` and the text's mean below `DOUBTED_LOG_PROBABILITY`: in 30 s of white and
of pink noise base has 0.31 and -2.7, 0.37 and -1.6; in ten recordings of speech the mean stays above -0.6."""
SURE_NO_SPEECH = 0.8
"""Nobody speaks either where that token has more than `SURE_NO_SPEECH`, whatever the text: of silence and mains hum
tiny.en writes "you", and believes it. Single words, and sentences in noise as loud as they are, stay below a half."""
CTC_WEIGHT = 0.3
"""`CTC_WEIGHT` is that of ESPnet's recipes for models which are trained with as much of CTC."""

Step = Callable[[np.ndarray, int, np.ndarray, dict | None], tuple[np.ndarray, dict, np.ndarray]]
"""A `Step` of a decoder: `(tokens, position, memory, state) -> (logits, state, attention)`.

`tokens` are int (rows,), what stands at `position`, counted from 0; `memory` is float32 (frames, channels), what the
head gave; `state` is what the step before gave, None at position 0: a dict of arrays with the rows first, which a step
doesn't change. `logits` are float32 (rows, tokens), of what follows; `attention` is float32 (rows, frames) or (rows,
attention heads, frames), where the decoder looked, and sums to one over frames."""


@dataclass
class _Path:
    """A text under way: its tokens, the log-probability of each, where the decoder looked for each, and the middle of
    that in seconds."""

    tokens: tuple[int, ...] = ()
    log_probs: tuple[float, ...] = ()
    attention: tuple[np.ndarray, ...] = ()
    centres: tuple[float, ...] = ()
    ended: bool = False

    @property
    def total(self):
        return sum(self.log_probs)

    @property
    def mean(self):
        return self.total / max(len(self.tokens), 1)

    def until(self, count):
        """The first `count` tokens."""
        return _Path(self.tokens[:count], self.log_probs[:count], self.attention[:count], self.centres[:count])


@dataclass
class _Beginning:
    """What follows the start: outputs of the decoder, and what they say of the recording."""

    logits: np.ndarray
    state: dict
    attention: np.ndarray
    position: int
    language: str | None
    language_confidence: float
    no_speech: float | None


@dataclass
class _Reading:
    """One decoder at work on one utterance.

    Attributes:
        memory, step: As of `AttentionSearch.__call__`.
        frame_seconds: Of a frame of the memory.
        special: Tokens that are no text.
        units: The head's.
        once: The utterance is read from its beginning to its end, and no further.
        ctc: What a CTC head thinks of texts, or None.
    """

    memory: np.ndarray
    step: Step
    frame_seconds: float
    special: set[int]
    units: Units
    once: bool
    ctc: CTCPrefixes | None

    def before_second(self, path) -> int | None:
        """How many tokens of a text come before the decoder went back to what it had read; None if it didn't."""
        texts = [position for position, token in enumerate(path.tokens) if token not in self.special]
        if not self.once or len(texts) < 2:
            return None
        count = tokens_before_return(np.array([path.centres[position] for position in texts]))
        if count == len(texts):
            return None
        # The signs behind the last word belong to it.
        while count < len(texts) - 1 and not has_letters(
                self.units.written(self.units.names[path.tokens[texts[count]]])):
            count += 1
        return texts[count]


class AttentionSearch:
    """The most probable text of a `seq2seq` head: a decoder for `recognize(..., decoder=)`.

    Beam search as in openai-whisper: every text takes its most probable tokens, and the best `beam` texts are kept. Of
    those that end the one with the highest mean log-probability per token wins, because a sum favours short texts (Wu
    et al. 2016, https://arxiv.org/abs/1609.08144, equation 14 with alpha 1 and without its constants). The search is
    over when `beam` texts have ended and none under way has a higher mean. A beam of 1 is greedy.

    Decoders write fluent text of recordings without speech, and repeat themselves for ever. So the audio's length
    bounds the text's, a text that repeats itself is searched for a second time without repetitions, one whose decoder
    goes back to what it has read ends there, and what the decoder itself takes for no speech is empty.

    A `ctc` head that has the same units scores the texts, too (Watanabe et al. 2017, see `CTCPrefixes`): it knows what
    was said how often, and when a text is over, and the decoder which words go together.

    Args:
        beam: Texts kept.
        ctc_weight: Weight of the scores of a `ctc` head with the same units, 0 to below 1; the decoder's have the rest.
        language: ISO 639 code of what is spoken, for decoders that know several; detected when None.
        task: `transcribe`, or `translate` into English; what the head's start says when None.
        timestamps: The decoder also writes when segments begin and end, which then bound the times of words.

    Example:
        model.recognize("letter.wav", decoder=AttentionSearch(beam=5, language="de", task="translate")).transcript
    """

    def __init__(self, beam: int = 1, language: str | None = None, task: str | None = None, timestamps: bool = False,
                 ctc_weight: float = CTC_WEIGHT):
        if beam < 1:
            raise ValueError(f"beam is 1 or more, got {beam}")
        if not 0.0 <= ctc_weight < 1.0:
            raise ValueError(f"ctc_weight is 0 or more and below 1, got {ctc_weight:g}")
        self.beam, self.language, self.task, self.timestamps = beam, language, task, timestamps
        self.ctc_weight = ctc_weight

    def __call__(self, memory: np.ndarray, head_spec: dict, step: Step,
                 ctc: tuple[np.ndarray, np.ndarray] | None = None) -> AttentionHypothesis:
        """Decodes one utterance.

        Args:
            memory: float32 (frames, channels) of one utterance; rows of zeros at the end are padding.
            head_spec: Spec of the `seq2seq` head.
            step: The decoder's.
            ctc: Logits (frames, outputs) of a `ctc` head for the same frames, and the output of each token
                (`ctc_prefixes.columns_of`); None without one.

        Returns:
            The best text. Words get their times from where the decoder looked.

        Raises:
            ValueError: A memory of another shape, values that aren't finite, or a language or task that the decoder
                doesn't know.
        """
        memory = without_padding(memory)
        tokens = SpecialTokens.of(head_spec)
        if not len(memory):
            return AttentionHypothesis("", confidence=1.0)
        rules = TokenRules(head_spec, tokens, self.timestamps)
        beginning = self._begin(tokens, memory, step)
        known = {"language": beginning.language, "language_confidence": beginning.language_confidence,
                 "no_speech": beginning.no_speech}
        no_speech = beginning.no_speech or 0.0
        if no_speech > SURE_NO_SPEECH:  # whatever the text would be
            return AttentionHypothesis("", confidence=no_speech, **known)
        room = min(head_spec["maximum_tokens"] - beginning.position, LEAST_TOKENS + int(
            TOKENS_PER_SECOND * len(memory) * head_spec["frame_seconds"]))
        units = units_of(head_spec)
        # Translations may go back: words change places.
        translates = tokens.tasks.get("translate", -1) in tokens.start_with(self.task, self.timestamps)
        # CTC has read each frame once; its scores of a second reading are the lowest.
        prefixes = None
        if ctc and self.ctc_weight:
            prefixes = CTCPrefixes(ctc[0][:len(memory)], ctc[1], tokens.end, self.ctc_weight)
        reading = _Reading(memory, step, head_spec["frame_seconds"], set(tokens.special.tolist()), units,
                           once=not translates and prefixes is None, ctc=prefixes)
        path = self._search(beginning, reading, rules, tokens.end, room)
        if compression_ratio(units.join([units.names[token] for token in path.tokens])) > COMPRESSION_RATIO:
            path = self._search(beginning, reading, rules, tokens.end, room, without_repeats=True)
        known["score"] = path.mean
        silences = (NO_SPEECH, LOG_PROBABILITY), (DOUBTED_NO_SPEECH, DOUBTED_LOG_PROBABILITY)
        if any(no_speech > least and path.mean < most for least, most in silences):
            return AttentionHypothesis("", confidence=no_speech, **known)
        segments = make_segments(path.tokens, path.log_probs, tokens, units) if self.timestamps else []
        words = make_words(path.tokens, path.log_probs, np.stack(path.attention), head_spec, tokens,
                           beginning.language)
        written = path.tokens[:-1] if path.ended else path.tokens
        confidence = float(np.mean([word.confidence for word in words])) if words else float(np.exp(path.mean))
        return AttentionHypothesis(" ".join(word.text for word in words), words, list(written), confidence,
                                   segments=segments, **known)

    def _begin(self, tokens, memory, step) -> "_Beginning":
        """Feeds the start, choosing the language on the way."""
        start = tokens.start_with(self.task, self.timestamps)
        asked = None if self.language is None else tokens.language_of(self.language)
        state, language, sure, no_speech, position = None, self.language, float(asked is not None), None, 0
        while position < len(start):
            logits, state, attention = step(np.array(start[position:position + 1]), position, memory, state)
            if position == 0 and tokens.no_speech is not None:
                no_speech = float(np.exp(normalised(logits))[0, tokens.no_speech])
            if position == 0 and tokens.languages:
                codes, known = list(tokens.languages), [*tokens.languages.values()]
                probabilities = np.exp(normalised(logits[0, known]))
                if asked is None:
                    language, sure = codes[int(probabilities.argmax())], float(probabilities.max())
                start.insert(1, tokens.languages[language])
            position += 1
        return _Beginning(logits, state, attention, position, language, sure, no_speech)

    def _search(self, beginning, reading, rules, end, room, without_repeats=False) -> _Path:
        """The best text that continues the beginning within `room` tokens."""
        alive, ended = [_Path()], []
        prefixes = reading.ctc and reading.ctc.begin()
        logits, state, attention = beginning.logits, beginning.state, beginning.attention
        for position in range(beginning.position, beginning.position + room):
            forbidden = [repeated(path.tokens, REPEATED_TOKENS) if without_repeats else () for path in alive]
            log_probs = rules.log_probs(logits, [path.tokens for path in alive], forbidden)
            if reading.ctc:
                log_probs = reading.ctc.joined(log_probs, prefixes)
            centres = attention_centres(attention.reshape(len(alive), -1, attention.shape[-1]), reading.frame_seconds)
            rows, longer, newly_ended = self._extend(alive, log_probs, attention, centres, end)
            firsts = [reading.before_second(path) for path in longer]
            # A text that is read again is over, too: the second reading would go on as long as there is room.
            ended += newly_ended + [path.until(count) for path, count in zip(longer, firsts) if count is not None]
            rows, alive = ([item for item, count in zip(items, firsts) if count is None] for items in (rows, longer))
            done = len(ended) >= self.beam and _best(ended).mean >= _best(alive or ended).mean
            if done or not alive or position == beginning.position + room - 1:
                break
            if reading.ctc:
                prefixes = reading.ctc.extended(prefixes, rows, [path.tokens[-1] for path in alive])
            if rows != list(range(len(log_probs))):
                state = {name: value[rows] for name, value in state.items()}
            logits, state, attention = reading.step(np.array([path.tokens[-1] for path in alive]), position,
                                                    reading.memory, state)
        return _best(ended or alive)

    def _extend(self, paths, log_probs, attention, centres, end):
        """Each text by its most probable tokens: the rows of those kept, these texts, and those that ended."""
        count = min(self.beam + 1, log_probs.shape[1])
        candidates = []
        for row, path in enumerate(paths):
            for token in np.argpartition(-log_probs[row], count - 1)[:count]:
                if log_probs[row, token] > -np.inf:
                    candidates.append((path.total + log_probs[row, token], row, int(token)))
        candidates.sort(key=lambda candidate: (-candidate[0], candidate[1:]))
        rows, alive, ended = [], [], []
        for _, row, token in candidates:
            path = paths[row]
            longer = _Path((*path.tokens, token), (*path.log_probs, float(log_probs[row, token])),
                           (*path.attention, attention[row]), (*path.centres, centres[row]), token == end)
            if longer.ended:
                ended.append(longer)
            else:
                rows.append(row)
                alive.append(longer)
            if len(alive) == self.beam:
                break
        return rows, alive, ended


def _best(paths):
    return max(paths, key=lambda path: path.mean)


def without_padding(memory: np.ndarray) -> np.ndarray:
    """One utterance without the rows of zeros that stand behind it in a batch: float32 (frames, channels).

    Raises:
        ValueError: Another shape, or values that aren't finite.
    """
    memory = np.asarray(memory, np.float32)
    if memory.ndim != 2:
        raise ValueError(f"memory of shape {memory.shape}; expected (frames, channels)")
    if not np.isfinite(memory).all():
        raise ValueError("the model gave NaN or infinite outputs; check its weights and that the audio is finite")
    used = np.flatnonzero(memory.any(axis=1))
    return memory[:used[-1] + 1] if len(used) else memory[:0]


def compression_ratio(text: str) -> float:
    """How many times smaller zlib makes a text.

    Example:
        >>> compression_ratio("turn on the light") < 1 < COMPRESSION_RATIO < compression_ratio("so " * 30)
        True
    """
    data = text.encode("utf-8", "replace")
    return len(data) / len(zlib.compress(data))
