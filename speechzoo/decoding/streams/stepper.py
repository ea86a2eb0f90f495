"""Audio in pieces of any length -> the steps of a causal model."""

import numpy as np


class Stepper:
    """Cuts a stream into the steps that a model takes and carries what the model remembers.

    What it holds between two calls are the samples that no step has used yet and the state that the last step left, so
    how the audio is split changes nothing.

    Args:
        step: (samples (1, step_samples), state) -> (head -> output, state); all arrays with a batch axis of 1.
        state: The state of a stream that begins, name -> array.
        step_samples: Samples of a step.

    Attributes:
        state: What the last step left. Tensors may be set between two calls: zeros begin anew.
        pending: float32 (samples,) that no step has used yet.

    Example:
        >>> stepper = Stepper(lambda samples, state: ({"sum": samples.sum(1)}, state), {}, 4)
        >>> [float(outputs["sum"]) for outputs in stepper.feed(np.arange(10))]
        [6.0, 22.0]
        >>> stepper.pending.tolist()
        [8.0, 9.0]
    """

    def __init__(self, step, state: dict[str, np.ndarray], step_samples: int):
        self.step = step
        self.state = state
        self.step_samples = step_samples
        self.pending = np.zeros(0, np.float32)
        self._used = 0

    def feed(self, samples: np.ndarray):
        """Takes more of the stream.

        Args:
            samples: (samples,), floats in [-1, 1] at the model's sample rate; any number of them.

        Yields:
            Head -> output without the batch axis, once for every step that the samples complete.

        Raises:
            ValueError: Another shape, or samples that are not finite numbers.
        """
        self.pending = np.concatenate([self.pending, self._checked(samples)])
        while len(self.pending) >= self.step_samples:
            now, self.pending = self.pending[:self.step_samples], self.pending[self.step_samples:]
            self._used += self.step_samples
            outputs, self.state = self.step(now[None], self.state)
            yield {name: np.asarray(output)[0] for name, output in outputs.items()}

    def finish(self):
        """Completes the step under way with silence, if there is one, and yields its outputs."""
        if len(self.pending):
            yield from self.feed(np.zeros(self.step_samples - len(self.pending), np.float32))

    def _checked(self, samples):
        samples = np.asarray(samples)
        if samples.ndim != 1:
            raise ValueError(f"samples of shape {samples.shape}: a stream takes (samples,), one channel")
        finite = np.isfinite(samples)
        if not finite.all():
            number = self._used + len(self.pending) + int(finite.argmin())
            raise ValueError(f"sample {number} of the stream is not a finite number")
        return samples.astype(np.float32)
