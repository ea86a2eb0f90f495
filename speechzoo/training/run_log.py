"""Records of a training run: log.jsonl, TensorBoard and curves."""

import json
from pathlib import Path

import keras

from speechzoo.files import naming, write_atomically

# Numbers of records that say nothing of how training goes.
_NO_CURVES = ("seconds", "speed", "audio_hours", "core_hours", "gigabytes")


class RunLog:
    """Appends records to `log.jsonl` and, on the TensorFlow backend, to a TensorBoard event file.

    TensorBoard would draw the curves of an earlier run in the same folder into those of this one, so the event file is
    written anew from the records that stay.

    Args:
        folder: Output folder of the run.
        step: Step the run resumes at: later records of a run that was killed are dropped, they will be made again.
    """

    def __init__(self, folder: str | Path, step: int = 0):
        self.path = Path(folder) / "log.jsonl"
        kept = self._keep_until(step)
        self._events = None
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            for old in Path(folder).glob("tensorboard/events.*"):
                old.unlink()
            self._events = tf.summary.create_file_writer(str(Path(folder) / "tensorboard"))
            for record in kept:
                self._draw(record)

    def write(self, record: dict):
        """Adds one record; it has "event" and "step", and its numbers become TensorBoard's scalars."""
        with naming(self.path), open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        if self._events is not None:
            self._draw(record)

    def _draw(self, record):
        import tensorflow as tf

        with self._events.as_default(step=record["step"]):
            for name, value in record.items():
                if isinstance(value, float):
                    tf.summary.scalar(f"{record['event']}/{name}", value)

    def close(self):
        """Writes out what TensorBoard's writer still holds."""
        if self._events is not None:
            self._events.close()

    def _keep_until(self, step):
        if not self.path.exists():
            return []
        kept = [record for record in read_log(self.path) if record["step"] <= step]
        write_atomically(self.path, "".join(json.dumps(record) + "\n" for record in kept).encode())
        return kept


def read_log(path: str | Path) -> list[dict]:
    """The records of a `log.jsonl`; a last line that a kill cut short is left out."""
    records = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def plot_curves(log: str | Path, output: str | Path) -> bool:
    """Draws losses and metrics over steps as a PNG.

    Returns:
        False when matplotlib (extra `[plots]`) isn't installed, or there is nothing to draw.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    records = read_log(log)
    curves = {}
    for record in records:
        for name, value in record.items():
            if isinstance(value, float) and name not in _NO_CURVES:
                curves.setdefault(name, {}).setdefault(record["event"], []).append((record["step"], value))
    if not curves:
        return False
    columns = min(4, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, name in zip(axes, sorted(curves)):
        for event, points in curves[name].items():
            axis.plot(*zip(*points), label=event, marker="." if len(points) < 30 else None)
        axis.set_title(name)
        axis.legend()
    for axis in axes[len(curves):]:
        axis.remove()
    figure.supxlabel("step")
    with naming(output):
        figure.savefig(output, dpi=80)
    return True
