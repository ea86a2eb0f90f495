"""Noise lowered in recordings and streams by the gains of a model's head `enhancement`."""

from collections.abc import Iterator

import numpy as np

from speechzoo.audio import load_audio
from speechzoo.decoding.heads import find_head
from speechzoo.decoding.streams.stepper import Stepper
from speechzoo.enhancement.bands import band_weights
from speechzoo.enhancement.overlap_add import OverlapAdd

# A recording up to this length is taken as a whole. A longer one is taken step by step where the model can stream, and
# otherwise in pieces of this length, with as much around each as it takes to forget how the piece began: seconds.
PIECE_SECONDS, AROUND_SECONDS = 30.0, 2.0


class Enhancer:
    """Takes noise out of speech.

    Args:
        model: A model with a head of type `enhancement`: a `MultiTaskModel` or an `EdgeModel`.
        limit: What is taken for noise is lowered by this many dB at most; no limit when None. Recognisers often do best
            with some noise left, 10 to 20 dB lower.

    Attributes:
        head: Name of the head.
        sample_rate: Hz, of what comes and what leaves.
        latency: Samples by which a stream's output is behind its input: two hops, and what else a step waits for.

    Raises:
        ValueError: The model has no such head, or a limit below 0.

    Example:
        enhancer = Enhancer(speechzoo.load("runs/enhancer"))
        clean = enhancer.enhance("kitchen.wav")
    """

    def __init__(self, model, limit: float | None = None):
        self.model, self.head = model, find_head(model.spec, type="enhancement")
        if self.head is None:
            raise ValueError(f"model '{model.spec['name']}' has no head of type enhancement; it has: "
                             f"{', '.join(model.spec['heads'])}")
        if limit is not None and limit < 0:
            raise ValueError(f"the limit of the enhancement must be 0 dB or more, got {limit:g}")
        spec = model.spec["heads"][self.head]
        self.sample_rate, self.hop_length = model.spec["sample_rate"], spec["hop_length"]
        self.hops_per_frame = spec["subsampling"]
        self.weights = band_weights(spec["bands"], self.hop_length + 1, self.sample_rate)
        self.floor = 0.0 if limit is None else 10 ** (-limit / 20)
        self.frame_length = self.hop_length * self.hops_per_frame
        self.step_samples = model.spec.get("stream", {}).get("step_samples", 0)
        if self.step_samples:
            try:
                model.initial_state()
            except ValueError:  # a file that was exported without the steps of its model
                self.step_samples = 0
        self.latency = self.hop_length + max(self.step_samples, self.frame_length)

    def bin_gains(self, frames: np.ndarray) -> np.ndarray:
        """The head's output (frames, bands) -> gains (hops, bins) of the windows that end with each hop."""
        gains = np.asarray(frames, np.float32) @ self.weights
        return np.repeat(self.floor + (1 - self.floor) * gains, self.hops_per_frame, axis=0)

    def enhance(self, audio, sample_rate: int | None = None) -> np.ndarray:
        """One recording without its noise.

        A model that streams gives what its stream gives. Memory for the model doesn't grow beyond half a minute.

        Args:
            audio: Path, bytes, or float32 (samples,) in [-1, 1].
            sample_rate: Hz, of an array; the model's when None.

        Returns:
            float32 (samples,) at `sample_rate` of the model, in time with what came and as long.

        Raises:
            AudioError: The audio can't be read.
        """
        if isinstance(audio, np.ndarray):
            audio = load_audio((audio, sample_rate or self.sample_rate), self.sample_rate)
        else:
            audio = load_audio(audio, self.sample_rate)
        # Another hop, behind which the last samples leave.
        hops = -(-len(audio) // self.frame_length) * self.hops_per_frame + self.hops_per_frame
        padded = np.pad(audio, (0, hops * self.hop_length - len(audio)))
        frames = np.concatenate(list(self._frames(padded)))[:hops // self.hops_per_frame]
        return OverlapAdd(self.hop_length).feed(padded, self.bin_gains(frames))[self.hop_length:][:len(audio)]

    def stream(self) -> "EnhancedStream":
        """A stream that is enhanced as it comes.

        Raises:
            ValueError: The model isn't causal, or its file has no signature `stream_step`.
        """
        if not self.step_samples:
            raise ValueError(f"model '{self.model.spec['name']}' can't stream: its front end and backbone are not "
                             "causal; use one whose name ends in _streaming")
        return EnhancedStream(self)

    def _frames(self, padded) -> Iterator[np.ndarray]:
        """The head's output for whole frames of audio, piece by piece."""
        piece, around = (round(seconds * self.sample_rate / self.frame_length) * self.frame_length
                         for seconds in (PIECE_SECONDS, AROUND_SECONDS))
        if self.step_samples and len(padded) > piece:
            stepper = self._stepper()
            for part in (stepper.feed(padded), stepper.finish()):
                yield from (outputs[self.head] for outputs in part)
            return
        for start in range(0, len(padded), piece):
            before = min(around, start)
            outputs, = self.model.batch_outputs([padded[start - before:start + piece + around]], [self.head])
            first, count = before // self.frame_length, min(piece, len(padded) - start) // self.frame_length
            frames = outputs[self.head][first:first + count]
            # Some networks give a frame less than a recording has.
            yield np.pad(frames, ((0, count - len(frames)), (0, 0)), mode="edge")

    def _stepper(self):
        return Stepper(self.model.stream_step, self.model.initial_state(), self.step_samples)


class EnhancedStream:
    """One stream that is enhanced as it comes: the same samples as `Enhancer.enhance` gives, however it is cut.

    Args:
        enhancer: Whose model's state it keeps.

    Example:
        stream = enhancer.stream()
        for samples in microphone:
            loudspeaker.write(stream.feed(samples))
        loudspeaker.write(stream.finish())
    """

    def __init__(self, enhancer: Enhancer):
        self.enhancer = enhancer
        self._stepper = enhancer._stepper()
        self._overlap_add = OverlapAdd(enhancer.hop_length)
        self._waiting = np.zeros(0, np.float32)  # what came and is in no step yet
        self._silence = enhancer.hop_length  # what leaves first lies before the stream
        self._owed = 0  # samples that came and have not left

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Takes more of the stream and gives what is ready.

        Args:
            samples: (samples,) at the model's sample rate, floats in [-1, 1]; any number of them.

        Returns:
            float32 (samples,), which go on where the last ones ended.

        Raises:
            ValueError: Another shape, or samples that are not finite numbers.
        """
        ready = self._advance(samples)
        self._owed += len(samples) - len(ready)
        return ready

    def finish(self) -> np.ndarray:
        """The samples that are still to come; as many have left then as came."""
        parts, missing = [], self._owed
        while sum(map(len, parts)) < missing:
            parts.append(self._advance(np.zeros(self.enhancer.step_samples, np.float32)))
        self._owed = 0
        return np.concatenate([np.zeros(0, np.float32), *parts])[:missing]

    def _advance(self, samples):
        self._waiting = np.concatenate([self._waiting, np.asarray(samples, np.float32)])
        parts = [np.zeros(0, np.float32)]
        for outputs in self._stepper.feed(samples):
            now, self._waiting = np.split(self._waiting, [self.enhancer.step_samples])
            parts.append(self._overlap_add.feed(now, self.enhancer.bin_gains(outputs[self.enhancer.head])))
        ready = np.concatenate(parts)
        dropped = min(self._silence, len(ready))
        self._silence -= dropped
        return ready[dropped:]
