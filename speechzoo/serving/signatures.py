"""What the signatures of an exported SavedModel are called, shared by the exporter and the client.

Every input and output has the batch as its first axis, `spec` included: TensorFlow Serving's batching refuses a tensor
without one.
"""

from speechzoo.decoding.answers import answer_kind

DEFAULT = "serving_default"  # audio (batch, samples) float32, audio_length (batch,) int32 -> the outputs of the heads
BYTES = "serving_bytes"  # audio_bytes (batch,) 16-bit PCM WAV files -> the same outputs
SPEC = "spec"  # request (batch,) any text -> spec (batch,), `MultiTaskModel.spec` as JSON


def raw_output_names(spec: dict) -> dict[str, str]:
    """Head -> name of the output that holds what the head itself gives, for every head of a model's spec: mostly
    `<head>_logits`, and `<head>` for an embedding.

    Raises:
        ValueError: A head of an unknown type.
    """
    return {head: answer_kind(head_spec).raw_output(head) for head, head_spec in spec["heads"].items()}


def output_names(spec: dict) -> list[str]:
    """Names of all outputs of `serving_default` and `serving_bytes`, sorted.

    Each kind of answer names its own (`served_outputs` in `speechzoo.decoding.answers`): the raw output, the answer
    `<head>` and its confidence `<head>_score`, the same as that of a Recognition, 0 to 1; slots have the answer
    `<head>_<slot>` (value, "" for none) and a score each.

    Raises:
        ValueError: Two outputs would have the same name, or a head is of an unknown type.
    """
    names = [name for head, head_spec in spec["heads"].items()
             for name in answer_kind(head_spec).served_outputs(head, head_spec)]
    for name in names:
        if names.count(name) > 1:
            heads = ", ".join(spec["heads"])
            raise ValueError(f"two outputs would be called '{name}'; rename one of the heads {heads}")
    return sorted(names)
