"""How far an exported model is from the Keras model, head by head, and how far it may be."""

from dataclasses import asdict, dataclass

import numpy as np

from speechzoo.decoding.answers import answer_kind
from speechzoo.exporters.errors import ExportError

# What a head may differ by, by quantization. float32: the greatest difference of an output (logits, or an embedding's
# numbers), as a share of the greatest output where that is above 1: sums in another order round in proportion to what
# is summed, and logits reach 45 (5e-6 was seen, in `mtl_whisper_tiny`). Quantized logits move a little everywhere, so
# what counts is the answers, by the distance that their kind knows (`speechzoo.decoding.answers`): probability given
# away, and for a voice embedding one minus the cosine.
LOGIT_TOLERANCE = 1e-4
TOLERANCES = {"float16": 0.005, "dynamic": 0.03, "int16x8": 0.03, "int8": 0.05}


@dataclass
class HeadParity:
    """How far one head is from the Keras model.

    Attributes:
        head: Its name.
        measure: What `value` is: `difference` (greatest of any output, as a share of the greatest output or of 1), or
            the distance of the head's kind of answer, such as `probability lost` or `cosine distance`.
        value: How far the head is.
        tolerance: How far it may be.
        changed: Share of answers that are not the same: token error rate against Keras's own tokens for a ctc head, of
            classes, slots or frames for the others, of none for an embedding.
        utterances: Recordings it was measured on.
    """

    head: str
    measure: str
    value: float
    tolerance: float
    changed: float
    utterances: int

    @property
    def passed(self) -> bool:
        return bool(self.value <= self.tolerance)  # False for NaN

    def to_dict(self) -> dict:
        """Plain values for `parity.json`."""
        return asdict(self)


def measure_parity(expected: list[dict], exported: list[dict], spec: dict, quantize: str) -> list[HeadParity]:
    """Compares the outputs of an exported model with those of the Keras model.

    Float32 outputs are compared as they are; quantized ones by the distance of the head's kind of answer, see
    `speechzoo.decoding.answers.Answer.distance`.

    Args:
        expected: Outputs of the Keras model, one dict per recording, head -> array without the batch axis.
        exported: Those of the exported model, in the same order.
        spec: The model's spec.
        quantize: `none`, `float16`, `dynamic`, `int8` or `int16x8`.

    Returns:
        One row per head, in the spec's order.

    Raises:
        ExportError: An output has another shape than that of Keras.
        ValueError: A head of an unknown type.
    """
    rows = []
    for head, head_spec in spec["heads"].items():
        pairs = [(np.asarray(a[head], np.float64), np.asarray(b[head], np.float64)) for a, b in zip(expected, exported)]
        for reference, output in pairs:
            if reference.shape != output.shape:
                raise ExportError(f"head '{head}' gives shape {output.shape} where Keras gives {reference.shape}")
        kind = answer_kind(head_spec)
        if quantize == "none":
            # np.max keeps NaN.
            value = float(np.max([np.abs(reference - output).max(initial=0.0) / np.abs(reference).max(initial=1.0)
                                  for reference, output in pairs]))
            measure, tolerance = "difference", LOGIT_TOLERANCE
        else:
            measure, value = kind.distance(pairs, head_spec)
            tolerance = TOLERANCES[quantize]
        changed = kind.changed(pairs, head_spec)
        rows.append(HeadParity(head, measure, value, tolerance, changed, len(pairs)))
    return rows


def measure_logits(head: str, pairs: list[tuple[np.ndarray, np.ndarray]], quantize: str) -> HeadParity:
    """Compares logits, row by row, of the steps of a decoder.

    Args:
        head: Name of the decoder's head.
        pairs: (expected, got) logits float64 (tokens, vocabulary) of each recording.
        quantize: As of `measure_parity`.

    Returns:
        In float32 the greatest difference as `measure_parity` takes it; otherwise the probability that is given away
        where the tokens that the file finds most probable take the place of Keras's.
    """
    changed = np.concatenate([expected.argmax(axis=-1) != got.argmax(axis=-1) for expected, got in pairs])
    if quantize == "none":
        value = max(float(np.abs(expected - got).max() / np.abs(expected).max(initial=1.0)) for expected, got in pairs)
        return HeadParity(head, "difference", value, LOGIT_TOLERANCE, float(changed.mean()), len(pairs))
    lost = []
    for expected, got in pairs:
        probabilities = np.exp(expected - expected.max(axis=-1, keepdims=True))
        probabilities /= probabilities.sum(axis=-1, keepdims=True)
        rows = np.arange(len(expected))
        # Not finite where an output isn't: an argmax of NaN would pass for a token.
        lost.append(probabilities.max(axis=-1) - probabilities[rows, got.argmax(axis=-1)] + 0 * got.sum(axis=-1))
    return HeadParity(head, "probability lost", float(np.mean(np.concatenate(lost))), TOLERANCES[quantize],
                      float(changed.mean()), len(pairs))


def check_parity(rows: list[HeadParity], what: str):
    """Raises ExportError, naming the worst head, when one is beyond its tolerance.

    Args:
        rows: From `measure_parity`.
        what: What was exported, for the message.
    """
    failed = [row for row in rows if not row.passed]
    if failed:
        worst = max(failed, key=lambda row: np.inf if np.isnan(row.value) else row.value / row.tolerance)
        raise ExportError(f"{what}: head '{worst.head}' is too far from the Keras model: {worst.measure} "
                          f"{worst.value:.2g}, at most {worst.tolerance:g} is allowed; nothing was written")


def parity_table(rows: list[HeadParity]) -> str:
    """The rows as aligned text, a header first."""
    cells = [("head", "measure", "value", "allowed", "answers changed", "recordings")]
    cells += [(row.head, row.measure, f"{row.value:.2g}", f"{row.tolerance:g}", f"{row.changed:.1%}",
               str(row.utterances)) for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  ".join(f"{cell:<{width}}" if column < 2 else f"{cell:>{width}}"
                               for column, (cell, width) in enumerate(zip(line, widths))) for line in cells)
