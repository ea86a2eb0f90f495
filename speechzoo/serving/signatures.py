"""What the signatures of an exported SavedModel are called, shared by the exporter and the client.

Every input and output has the batch as its first axis, `spec` included: TensorFlow Serving's batching refuses a tensor
without one.
"""

DEFAULT = "serving_default"  # audio (batch, samples) float32, audio_length (batch,) int32 -> the outputs of the heads
BYTES = "serving_bytes"  # audio_bytes (batch,) 16-bit PCM WAV files -> the same outputs
SPEC = "spec"  # request (batch,) any text -> spec (batch,), what `MultiTaskModel.spec()` gives, as JSON


def raw_output_name(head: str, head_spec: dict) -> str:
    """Name of the output that holds what the head itself gives: `<head>_logits`, or `<head>` for an embedding.

    Args:
        head: Name of the head.
        head_spec: Its spec.
    """
    return head if head_spec["type"] == "speaker" else f"{head}_logits"


def raw_output_names(spec: dict) -> dict[str, str]:
    """Head -> name of its raw output, for every head of a model's spec."""
    return {head: raw_output_name(head, head_spec) for head, head_spec in spec["heads"].items()}


def output_names(spec: dict) -> list[str]:
    """Names of all outputs of `serving_default` and `serving_bytes`, sorted.

    - every head but `speaker`: `<head>_logits`
    - `ctc`: `<head>` (text) and `<head>_score`
    - `classifier`: `<head>` (class) and `<head>_score`
    - `slots`: `<head>_<slot>` (value, "" for none) and `<head>_<slot>_score` for each slot, and `<head>_score` for all
    - `speaker`: `<head>` (embedding)
    - `frame_classifier`: `<head>` (probability of its second class at each frame, 0 in the padding) and `<head>_score`

    Scores are the confidences of a Recognition, 0 to 1.

    Raises:
        ValueError: Two outputs would have the same name.
    """
    names = []
    for head, head_spec in spec["heads"].items():
        names.append(raw_output_name(head, head_spec))
        if head_spec["type"] in ("ctc", "classifier", "frame_classifier"):
            names += [head, f"{head}_score"]
        elif head_spec["type"] == "slots":
            names.append(f"{head}_score")
            for slot in head_spec["slots"]:
                names += [f"{head}_{slot}", f"{head}_{slot}_score"]
    for name in names:
        if names.count(name) > 1:
            heads = ", ".join(spec["heads"])
            raise ValueError(f"two outputs would be called '{name}'; rename one of the heads {heads}")
    return sorted(names)
