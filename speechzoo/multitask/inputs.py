"""What a model takes as its inputs beside the dict of arrays that batches are."""

from keras import ops


def complete_inputs(inputs):
    """The inputs of a model, with lengths where they are missing: then every row is as long as the array.

    Args:
        inputs: float (batch, samples); `{"audio": that}`; or with `"audio_length"`, int (batch,).

    Raises:
        ValueError: Audio without the axis of the batch.
    """
    if not isinstance(inputs, dict):
        if not hasattr(inputs, "shape"):
            return inputs
        inputs = {"audio": inputs}
    if "audio" not in inputs or "audio_length" in inputs:
        return inputs
    audio = ops.convert_to_tensor(inputs["audio"])
    if len(audio.shape) != 2:
        raise ValueError(f"audio must be (batch, samples), got {tuple(audio.shape)}; one recording is audio[None]")
    # Symbolic inputs have no shape to make lengths of.
    return {**inputs, "audio": audio, "audio_length": ops.sum(ops.ones_like(audio, dtype="int32"), axis=1)}
