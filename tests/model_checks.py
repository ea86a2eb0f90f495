"""Shared checks of whole models: exported files and streams give what the Keras model gives."""

import numpy as np

from tests.helpers import tone

TOLERANCE = 1e-4


def stepper(model):
    """A stream of a Keras model or an `EdgeModel` that gives every step's outputs as they are."""
    from speechzoo.decoding.streams.stepper import Stepper

    return Stepper(model.stream_step, model.initial_state(), model.spec["stream"]["step_samples"])


def check_streaming(model, audio, cuts, offline=None, after=None):
    """Streamed equals offline: every frame of every step, and what is said of the recording after each of them.

    Args:
        model: A Keras model that can stream, or an `EdgeModel`.
        audio: float32 (samples,), or (streams, samples) for several at once.
        cuts: Places where the audio is cut into what arrives together.
        offline: The Keras model to compare with; `model` when None.
        after: Numbers of steps; all when None.
    """
    from speechzoo.decoding.answers import answer_kind

    offline, audio = offline or model, np.atleast_2d(audio)
    step, heads = model.spec["stream"]["step_samples"], model.spec["heads"]
    framewise = {name for name, head in heads.items() if answer_kind(head).framewise}
    streams = [stepper(model) for _ in audio]
    streamed = [[] for _ in audio]
    for pieces in np.split(audio, cuts, axis=1):
        for stream, piece, outputs in zip(streams, pieces, streamed):
            outputs += stream.feed(piece)
    for samples, outputs in zip(audio, streamed):
        assert len(outputs) == len(samples) // step > 0

        def compare(steps, recording):
            expected = offline.forward_unpadded(recording[None])
            assert set(outputs[0]) == set(expected) == set(heads)
            for name in heads:
                value = np.asarray(expected[name])[0]
                got = outputs[steps - 1][name]
                if name in framewise:
                    got = np.concatenate([each[name] for each in outputs[:steps]])
                    value = value[:len(got)]
                elif len(recording) % step:
                    continue  # of which the last samples weren't streamed
                np.testing.assert_allclose(got, value, atol=TOLERANCE, rtol=0, err_msg=f"{name} after {steps} steps")

        for steps in after or range(1, len(outputs) + 1):
            compare(steps, samples[:steps * step])
        # The frames of the whole recording begin with those that were streamed: nothing looks ahead.
        compare(len(outputs), samples)


def check_export(path, model, seconds=(0.31,)):
    """A float32 `.tflite` file of builtin operators gives what the Keras model gives.

    Args:
        path: The file.
        model: The model that was exported.
        seconds: Lengths of recordings, other than the exporter measured.
    """
    from speechzoo.edge.edge_model import EdgeModel
    from speechzoo.exporters.network.flatbuffer import custom_operators

    assert custom_operators(path.read_bytes()) == []
    device = EdgeModel(path)
    for length in seconds:
        (expected,), (got,) = (each.batch_outputs([tone(length, 500, seed=3)]) for each in (model, device))
        assert set(got) == set(expected) == set(model.heads)
        for name in expected:
            np.testing.assert_allclose(got[name], expected[name], atol=TOLERANCE, rtol=0, err_msg=name)
