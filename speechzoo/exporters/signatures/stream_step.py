"""The signature by which an exported file hears a stream, step by step."""

import numpy as np
import tensorflow as tf

from speechzoo.decoding.answers import answer_kind
from speechzoo.decoding.streams.stepper import Stepper
from speechzoo.edge import signatures
from speechzoo.exporters.network.tracing import Endpoint
from speechzoo.exporters.parity import measure_parity
from speechzoo.exporters.signatures.signature import Signature
from speechzoo.multitask.stream_step import forward_step


class StreamStep(Signature):
    """`samples` float32 (1, step samples) and the state, tensor by tensor -> every head's output and the new state."""

    name = signatures.STREAM_STEP

    @classmethod
    def heads_of(cls, model, spec):
        return list(spec["heads"]) if "stream" in spec else []

    @property
    def step_samples(self) -> int:
        """Samples of a step."""
        return self.spec["stream"]["step_samples"]

    def endpoints(self):
        def step(inputs):
            state = dict(inputs)
            outputs, state = forward_step(self.model, state.pop("samples"), state)
            return {**outputs, **state}

        inputs = {"samples": tf.TensorSpec((1, self.step_samples), tf.float32, "samples")}
        inputs.update({name: tf.TensorSpec(value.shape, tf.float32, name)
                       for name, value in self.model.initial_state().items()})
        return [Endpoint(self.name, step, [inputs])]

    def measure(self, device, expected, quantize):
        """Streamed equals offline, as far as whole steps go: silence completes the last one."""
        recordings = [np.pad(audio, (0, -len(audio) % self.step_samples)) for audio in self.recordings]
        expected = [self.model.batch_outputs([audio])[0] for audio in recordings]
        return measure_parity(expected, [self._streamed(device, audio) for audio in recordings], self.spec, quantize)

    def _streamed(self, device, audio) -> dict:
        """Every head's output for one recording that is heard step by step."""
        steps = list(Stepper(device.stream_step, device.initial_state(), self.step_samples).feed(audio))
        return {name: np.concatenate([outputs[name] for outputs in steps]) if answer_kind(head).framewise
                else steps[-1][name] for name, head in self.spec["heads"].items()}
