"""Streams: a causal model that hears audio step by step, with everything it remembers in plain tensors."""

import numpy as np
from keras import ops

from speechzoo.layers.stream_state import StreamState


def can_stream(model) -> bool:
    """Whether the model is causal from its front end to its backbone, which all heads share."""
    return model.frontend.causal and model.backbone.causal and model.sharing.one_network


def step_samples(model) -> int:
    """Samples of the shortest step: those that one chunk of output frames stands for."""
    return model.frontend.hop_length * model.backbone.subsampling * model.backbone.chunk


def stream_step(model, samples, state: dict | None = None) -> tuple[dict, dict]:
    """One step of a stream.

    Args:
        model: A `MultiTaskModel` that can stream.
        samples: float32 (batch, samples); a multiple of `step_samples(model)`.
        state: Name -> tensor, as `initial_state` or the step before gave it; None at the beginning.

    Returns:
        Head -> output: of heads of frames the logits of the step's frames, (batch, frames, units + 1) of a `ctc` head,
        of the others what they say of everything since the stream began; and the state for the next step.

    Raises:
        ValueError: A model that can't stream, samples that are no whole steps, or the state of another model.
    """
    _require(model)
    shape = tuple(samples.shape)
    if len(shape) != 2 or not shape[1] or shape[1] % step_samples(model):
        raise ValueError(f"a step takes (batch, {step_samples(model)} samples) or a multiple, got {shape}")
    if state is not None:
        _check_state(state, _state_shapes(model), shape[0])
    return forward_step(model, samples, state)


def forward_step(model, samples, state: dict | None) -> tuple[dict, dict]:
    """The graph of `stream_step`, without its checks."""
    hears = StreamState(state)
    features, _ = model.frontend(samples, None, training=False, state=hears.within("frontend"))
    frames, _ = model.backbone(features, None, training=False, state=hears.within("backbone"))
    outputs = {name: head(frames[model.blocks[name] - 1], None, training=False, state=hears.within(name))
               for name, head in model.heads.items() if not head.auxiliary}
    return outputs, hears.new


def initial_state(model, batch: int = 1) -> dict[str, np.ndarray]:
    """The state of a stream that begins: zeros, by name.

    Args:
        model: A `MultiTaskModel` that can stream.
        batch: Streams that run side by side.

    Raises:
        ValueError: A model that can't stream.
    """
    _require(model)
    return {name: np.zeros((batch, *shape), np.float32) for name, shape in _state_shapes(model).items()}


def stream_spec(model) -> dict:
    """What whoever runs the model's steps needs to know, of plain values.

    Returns:
        `step_samples`, and `utterance_state`: the tensors of the state that heads of whole utterances gather; zeros
        begin a new utterance.
    """
    gathering = tuple(f"{name}_" for name, head in model.heads.items() if not head.memory)
    return {"step_samples": step_samples(model),
            "utterance_state": [name for name in _state_shapes(model) if name.startswith(gathering)]}


def _state_shapes(model) -> dict[str, tuple]:
    """Name -> shape without the batch, found by hearing one step of silence."""
    if model.stream_shapes is None:
        _, state = forward_step(model, ops.zeros((1, step_samples(model))), None)
        model.stream_shapes = {name: tuple(tensor.shape[1:]) for name, tensor in state.items()}
    return model.stream_shapes


def _check_state(state: dict, shapes: dict, batch: int):
    for name, shape in shapes.items():
        if name not in state:
            raise ValueError(f"the state lacks '{name}': it is that of another model; begin with initial_state()")
        if tuple(state[name].shape) != (batch, *shape):
            raise ValueError(f"the state's '{name}' has shape {tuple(state[name].shape)}, expected {(batch, *shape)}; "
                             "it is that of another model or batch")


def _require(model):
    if not can_stream(model):
        raise ValueError(f"model '{model.name}' can't stream: its front end and backbone are not causal; use a "
                         "model whose name ends in _streaming, or train one with causal: true in both")
