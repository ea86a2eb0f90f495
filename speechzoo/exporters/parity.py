"""How far an exported model is from the Keras model, head by head, and how far it may be."""

from dataclasses import asdict, dataclass

import numpy as np

from speechzoo.exporters.errors import ExportError
from speechzoo.metrics.error_rate import edit_counts, error_rate

# What a head may differ by, by quantization. float32: the greatest difference of an output (logits, or an embedding's
# numbers), as a share of the greatest output where that is above 1: sums in another order round in proportion to what
# is summed, and logits reach 45 (5e-6 was seen, in `mtl_whisper_tiny`). Quantized logits move a little everywhere, so
# what counts is the answers: probability given away, and for a voice embedding one minus the cosine.
LOGIT_TOLERANCE = 1e-4
TOLERANCES = {"float16": 0.005, "dynamic": 0.03, "int16x8": 0.03, "int8": 0.05}


@dataclass
class HeadParity:
    """How far one head is from the Keras model.

    Attributes:
        head: Its name.
        measure: What `value` is: `difference` (greatest of any output, as a share of the greatest output or of 1),
            `probability lost` or `cosine distance`.
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

    "Probability lost" is what the Keras model thinks of the exported model's answers: its probability of its own best
    answer minus its probability of the exported one's, averaged over answers (for ctc over the frames where either is
    not blank). It is 0 where both agree, hardly more where Keras itself could not decide, and up to 1 where Keras was
    sure.

    Args:
        expected: Outputs of the Keras model, one dict a recording, head -> array without the batch axis.
        exported: Those of the exported model, in the same order.
        spec: The model's spec.
        quantize: `none`, `float16`, `dynamic`, `int8` or `int16x8`.

    Returns:
        One row a head, in the spec's order.

    Raises:
        ExportError: An output has another shape than that of Keras.
    """
    rows = []
    for head, head_spec in spec["heads"].items():
        pairs = [(np.asarray(a[head], np.float64), np.asarray(b[head], np.float64)) for a, b in zip(expected, exported)]
        for reference, output in pairs:
            if reference.shape != output.shape:
                raise ExportError(f"head '{head}' gives shape {output.shape} where Keras gives {reference.shape}")
        changed = _changed(pairs, head_spec)
        if quantize == "none":
            measure, tolerance = "difference", LOGIT_TOLERANCE
            # np.max keeps NaN.
            value = float(np.max([np.abs(reference - output).max(initial=0.0) / np.abs(reference).max(initial=1.0)
                                  for reference, output in pairs]))
        elif head_spec["type"] == "speaker":
            measure, tolerance = "cosine distance", TOLERANCES[quantize]
            value = float(np.max([1.0 - np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b) + 1e-20) for a, b in pairs]))
        else:
            measure, tolerance = "probability lost", TOLERANCES[quantize]
            lost = np.concatenate([_probability_lost(a, b, head_spec) for a, b in pairs])
            value = float(lost.mean()) if len(lost) else 0.0
        rows.append(HeadParity(head, measure, value, tolerance, changed, len(pairs)))
    return rows


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


def _segments(logits, head_spec):
    """Logits as rows of one decision each: (frames or 1, classes) arrays."""
    if head_spec["type"] == "slots":
        edges = np.cumsum([len(values) + 1 for values in head_spec["slots"].values()])[:-1]
        return [part[None] for part in np.split(logits, edges)]
    return [logits if logits.ndim == 2 else logits[None]]


def _probability_lost(reference, output, head_spec):
    lost = []
    for expected, got in zip(_segments(reference, head_spec), _segments(output, head_spec)):
        probability = np.exp(expected - expected.max(axis=-1, keepdims=True))
        probability /= probability.sum(axis=-1, keepdims=True)
        best, answer = expected.argmax(axis=-1), got.argmax(axis=-1)
        rows = np.arange(len(expected))
        difference = probability[rows, best] - probability[rows, answer]
        difference[~np.isfinite(got).all(axis=-1)] = np.nan  # argmax would hide it
        heard = (best > 0) | (answer > 0) | np.isnan(difference)
        lost.append(difference[heard] if head_spec["type"] == "ctc" else difference)
    return np.concatenate(lost)


def _changed(pairs, head_spec):
    if head_spec["type"] == "speaker":
        return 0.0
    if head_spec["type"] == "ctc":
        texts = [[" ".join(str(unit) for unit in _collapse(logits)) for logits in pair] for pair in pairs]
        return float(error_rate(edit_counts(*zip(*texts)).sum(axis=0)))
    different = [a.argmax(axis=-1) != b.argmax(axis=-1) for pair in pairs
                 for a, b in zip(*(_segments(logits, head_spec) for logits in pair))]
    return float(np.mean(np.concatenate(different)))


def _collapse(logits):
    path = logits.argmax(axis=-1)
    starts = np.diff(path, prepend=-1) != 0
    return path[starts & (path > 0)]
