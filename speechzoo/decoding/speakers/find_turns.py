"""Who speaks when: voices of short windows, grouped."""

from collections.abc import Callable

import numpy as np

from speechzoo.audio import stream_audio
from speechzoo.decoding.ctc.segments import Segment, read_segments
from speechzoo.decoding.heads import find_head
from speechzoo.decoding.pieces import cut_at_pauses
from speechzoo.decoding.speakers.clustering import cluster_voices
from speechzoo.decoding.speakers.turn import Turn

SAME_VOICE = 0.5
"""`SAME_VOICE` is the least mean cosine of windows of one voice; see `benchmarks/quality/diarization.py`."""
WINDOW_SECONDS, HOP_SECONDS = 2.0, 1.0
"""`WINDOW_SECONDS` are heard for a voice, every `HOP_SECONDS`: longer knows voices better, shorter their changes."""
SHORTEST_WINDOW = 0.5
"""Less speech than `SHORTEST_WINDOW` seconds tells no voice: it belongs to the nearest turn."""
SHORTEST_SPEAKER = 3.0
"""Whoever speaks for less than `SHORTEST_SPEAKER` seconds in all is taken for the nearest voice of somebody else."""
PAUSE_SECONDS = 0.5
"""Shorter pauses than `PAUSE_SECONDS` end no turn."""
_BATCH = 16  # windows


def find_turns(model, audio, sample_rate: int | None = None, *, start: float = 0.0, duration: float | None = None,
               name_of: Callable[[np.ndarray], tuple[str | None, float]] | None = None,
               same_voice: float = SAME_VOICE) -> list[Turn]:
    """Who speaks when in a recording of any length, in the memory of one piece of it and its voices.

    The model's head for speakers hears windows of 2 s wherever somebody speaks, as its head `speech` says; where it has
    none, everywhere. Voices that are alike are one person. People who speak at once are one of them.

    Args:
        model: A `Recognizer` with a speaker head.
        audio, sample_rate, start, duration: As of `Recognizer.recognize`.
        name_of: Embedding of a voice -> name and cosine, such as `Voices.name_of`; people that it names None get a
            number.
        same_voice: Least mean cosine of one person's windows.

    Returns:
        Turns in order, which don't overlap. Their times are those of the part that is heard.

    Raises:
        AudioError, TypeError: As `Recognizer.recognize`.
        ValueError: The model has no speaker head.

    Example:
        for turn in find_turns(speechzoo.load("mtl_whisper_tiny"), "meeting.flac"):
            print(f"{turn.speaker}: {turn.start:.1f} to {turn.end:.1f} s")
    """
    spec = model.spec
    head = find_head(spec, type="speaker", label="speaker") or find_head(spec, type="speaker")
    if head is None:
        raise ValueError(f"model '{spec['name']}' has no speaker head; it has: {', '.join(spec['heads'])}")
    rate = spec["sample_rate"]
    source = (audio, sample_rate or rate) if isinstance(audio, np.ndarray) else audio
    places, voices = [], []
    for first, samples in cut_at_pauses(stream_audio(source, rate, 10.0, start, duration), rate):
        windows = [window for segment in _speech(model, samples) for window in _windows(segment)]
        places += [(first / rate + begin, first / rate + end) for begin, end, _, _ in windows]
        heard = [samples[round(rate * begin):round(rate * end)] for _, _, begin, end in windows]
        for number in range(0, len(heard), _BATCH):
            voices += [outputs[head] for outputs in model.batch_outputs(heard[number:number + _BATCH], [head])]
    if not voices:
        return []
    voices = np.array(voices, np.float64)
    speakers = _without_short_ones(cluster_voices(voices, same_voice), voices, places)
    names = _names(speakers, voices, name_of)
    return _turns(places, [names[speaker] for speaker in speakers.tolist()])


def _speech(model, samples) -> list[Segment]:
    """Where somebody speaks, seconds; short pauses belong to it."""
    spec = model.spec
    name = find_head(spec, type="frame_classifier", label="speech")
    if name is None:
        return [Segment(0.0, len(samples) / spec["sample_rate"], 1.0)]
    segments, _ = read_segments(model.batch_outputs([samples], [name])[0][name], spec["heads"][name])
    joined = []
    for segment in segments:
        if joined and segment.start - joined[-1].end < PAUSE_SECONDS:
            segment = Segment(joined.pop().start, segment.end, 1.0)
        joined.append(segment)
    length = len(samples) / spec["sample_rate"]
    return [Segment(segment.start, min(segment.end, length), 1.0) for segment in joined
            if min(segment.end, length) - segment.start >= SHORTEST_WINDOW]


def _windows(segment: Segment) -> list[tuple[float, float, float, float]]:
    """(begin and end of what a window answers for, begin and end of what it hears), seconds, all over a segment."""
    length = segment.end - segment.start
    count = max(1, round(length / HOP_SECONDS))
    edges = segment.start + length * np.arange(count + 1) / count
    more = (WINDOW_SECONDS - HOP_SECONDS) / 2
    return [(float(begin), float(end), float(max(begin - more, segment.start)), float(min(end + more, segment.end)))
            for begin, end in zip(edges[:-1], edges[1:])]


def _without_short_ones(speakers, voices, places):
    """The speakers, of whom those that hardly speak are taken for others."""
    seconds = np.bincount(speakers, [end - begin for begin, end in places])
    kept = np.flatnonzero(seconds >= min(SHORTEST_SPEAKER, seconds.max()))
    means = np.array([voices[speakers == speaker].mean(axis=0) for speaker in kept])
    result = speakers.copy()
    for number in np.flatnonzero(~np.isin(speakers, kept)):
        result[number] = kept[int((means @ voices[number]).argmax())]
    return result


def _names(speakers, voices, name_of):
    """Speaker -> name, or the number in the order in which they begin."""
    names, strangers = {}, 0
    for speaker in dict.fromkeys(speakers.tolist()):
        mean = voices[speakers == speaker].mean(axis=0)
        name = name_of(mean / max(np.linalg.norm(mean), 1e-12))[0] if name_of else None
        strangers += name is None
        names[speaker] = name or f"speaker {strangers}"
    return names


def _turns(places, names):
    turns = []
    for (begin, end), name in zip(places, names):
        if turns and turns[-1].speaker == name and begin - turns[-1].end < PAUSE_SECONDS:
            begin = turns.pop().start
        turns.append(Turn(begin, end, name))
    return turns
