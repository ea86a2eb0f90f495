"""Recordings of any length: cut at pauses, recognised piece by piece, joined."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from speechzoo.decoding.ctc.segments import Segment
from speechzoo.decoding.recognition import ANSWER_FIELDS, WORD_FIELDS, Recognition
from speechzoo.text.units import NOTHING_CLASSES

LONGEST_PIECE = 30.0
"""`LONGEST_PIECE` is the length of the longest piece, seconds."""
_PAUSE = 0.2  # seconds whose energy is compared
_HOP = 0.02  # seconds between two places to cut at


@dataclass
class Piece:
    """A stretch of a recording, and what was recognised in it.

    Attributes:
        start: Beginning, seconds from the start of the recording.
        end: End, seconds.
        recognition: Its answers; the times are those of the recording.
    """

    start: float
    end: float
    recognition: Recognition


def cut_at_pauses(blocks: Iterable[np.ndarray], sample_rate: int,
                  longest: float = LONGEST_PIECE) -> Iterator[tuple[int, np.ndarray]]:
    """Cuts a recording where it is quietest, into pieces between half of the longest and the longest.

    The quietest stretch of 0.2 s is taken, whatever makes the sound: in noise that drowns all pauses a word may be cut.

    Args:
        blocks: float32 (samples,) each, one behind the other.
        sample_rate: Hz.
        longest: Longest piece, seconds.

    Yields:
        Number of the first sample, and the samples; together they are the recording. The last piece may be short.
    """
    limit = round(longest * sample_rate)
    waiting, length, first = [], 0, 0
    for block in blocks:
        waiting.append(block)
        length += len(block)
        while length > limit:
            samples = np.concatenate(waiting)
            cut = _quietest(samples[:limit], limit // 2, sample_rate)
            yield first, samples[:cut]
            waiting, length, first = [samples[cut:]], length - cut, first + cut
    if length:
        yield first, np.concatenate(waiting)


def _quietest(samples, begin, sample_rate):
    """The middle of the quietest stretch behind `begin`; of equally quiet ones the last, so that pieces are long."""
    width, hop = round(_PAUSE * sample_rate), max(round(_HOP * sample_rate), 1)
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples[begin:], dtype=np.float64))])
    starts = np.arange(0, len(energy) - width, hop)
    heard = energy[starts + width] - energy[starts]
    return begin + int(starts[len(starts) - 1 - np.argmin(heard[::-1])]) + width // 2


def move(recognition: Recognition, seconds: float) -> Recognition:
    """The recognition with all of its times so much later."""
    def later(value):
        if isinstance(value, list):
            return [replace(each, start=each.start + seconds, end=each.end + seconds) for each in value]
        return value

    moved = {name: later(getattr(recognition, name)) for name in (*WORD_FIELDS, "speech", "turns")}
    labels = {label: later(value) for label, value in recognition.labels.items()}
    return replace(recognition, **moved, labels=labels)


def join_pieces(pieces: list[Piece], texts: Collection[str] = ("transcript", "phones")) -> Recognition:
    """One Recognition of all pieces of a recording.

    Texts, words and segments follow one another. `intent`, `slots` and the sentence of a grammar are those of the piece
    whose command is surest. Of classes that have the most seconds of confidence, embeddings and numbers are means over
    time. A label is unanswered where no piece has an answer.

    Args:
        pieces: In order, one at least.
        texts: Labels whose answers are texts.
    """
    result = Recognition()
    for label in dict.fromkeys(label for piece in pieces for label in _answered(piece.recognition)):
        members = [piece for piece in pieces if piece.recognition.answer(label) is not None]
        answers = [piece.recognition.answer(label) for piece in members]
        seconds = np.array([piece.end - piece.start for piece in members])
        confidences = np.array([piece.recognition.confidence.get(label, 1.0) for piece in members])
        answer, confidence = _join(answers, confidences, seconds, label in texts)
        if label in ANSWER_FIELDS:
            setattr(result, label, answer)
        else:
            result.labels[label] = answer
        if any(label in piece.recognition.confidence for piece in members):
            result.confidence[label] = confidence
    for field in WORD_FIELDS:
        setattr(result, field, [word for piece in pieces for word in getattr(piece.recognition, field)])
    _take_command(result, pieces)
    result.unanswered = [label for label in dict.fromkeys(label for piece in pieces
                                                          for label in piece.recognition.unanswered)
                         if result.answer(label) is None]
    return result


def _answered(recognition):
    labels = (*ANSWER_FIELDS, *recognition.labels)
    return [label for label in labels if recognition.answer(label) is not None]


def _join(answers, confidences, seconds, is_text):
    mean = float(np.average(confidences, weights=seconds))
    first = answers[0]
    if is_text:
        return " ".join(text for text in answers if text), mean
    if isinstance(first, list):
        return _join_segments([segment for segments in answers for segment in segments]), mean
    if isinstance(first, np.ndarray):
        sum_ = np.tensordot(seconds, np.stack(answers), axes=1)
        return (sum_ / max(np.linalg.norm(sum_), 1e-12)).astype(np.float32), mean
    if isinstance(first, dict):
        best = max(range(len(answers)), key=lambda number: (bool(answers[number]), confidences[number]))
        return answers[best], float(confidences[best])
    if isinstance(first, str):
        votes = Counter()
        for name, confidence, weight in zip(answers, confidences, seconds):
            votes[name] += confidence * weight
        name, _ = votes.most_common(1)[0]
        own = [number for number, answer in enumerate(answers) if answer == name]
        return name, float(np.average(confidences[own], weights=seconds[own]))
    return float(np.average(answers, weights=seconds)), mean


def _join_segments(segments):
    joined = []
    for segment in segments:
        if joined and segment.start - joined[-1].end < 1e-6:
            before = joined.pop()
            lengths = before.end - before.start, segment.end - segment.start
            segment = Segment(before.start, segment.end,
                              float(np.average([before.confidence, segment.confidence], weights=lengths)))
        joined.append(segment)
    return joined


def _take_command(result, pieces):
    """Intent, slots and sentence belong together: those of the piece whose command is surest."""
    recognitions = [piece.recognition for piece in pieces]
    heard = [recognition for recognition in recognitions if recognition.intent is not None]
    commands = [recognition for recognition in heard if recognition.intent not in NOTHING_CLASSES]
    if heard:
        best = max(commands or heard, key=lambda recognition: recognition.confidence.get("intent", 0.0))
    else:  # a model with slots alone
        best = max(recognitions, key=lambda recognition: (bool(recognition.slots),
                                                          recognition.confidence.get("slots", 0.0)))
    for field in ("intent", "slots", "slot_confidence", "sentence", "sentence_words", "sentence_score"):
        setattr(result, field, getattr(best, field))
    for label in ("intent", "slots"):
        if label in best.confidence:
            result.confidence[label] = best.confidence[label]
