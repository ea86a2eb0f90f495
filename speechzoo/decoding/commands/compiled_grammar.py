"""A grammar that is ready to decode with, and its file."""

import dataclasses
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechzoo.files import write_atomically
from speechzoo.text.units import UNITS

VERSION = 1
DEFAULT_THRESHOLD = -2.5
"""`DEFAULT_THRESHOLD` just accepts a sentence of which two fifths of the units are wrong for a network that is quite
sure (ln P = -6). Calibrate it for a model: `metrics.rejection.calibrate_threshold`."""
DEFAULT_BLANK_COST = 3.0
"""`DEFAULT_BLANK_COST` is the cost of a blank, nats, where the head's priors were not measured."""
COMMAND_PRIOR_SCALE = 0.9
"""`COMMAND_PRIOR_SCALE` is the share of a unit's log prior that is subtracted. No benchmark here varies it;
`benchmarks/quality/rejection.py` measures with it."""
UNIT_BONUS = 0.6
"""`UNIT_BONUS` is what a path gains by each of its units, nats; see `benchmarks/quality/unit_bonus.py`."""
_LABEL_SIZES = {"intent": 2, "slot": 4, "word": 3}


@dataclass(frozen=True, eq=False)
class CompiledGrammar:
    """Weighted acceptor over the units of one `ctc` head; see `compile_grammar`.

    Attributes:
        name: The grammar's name.
        kind, units, frame_seconds: Those of the head it was compiled for.
        threshold: Least score of an accepted parse, nats per unit; see `grammar_decode`.
        unit_cost: float32 (units + 1,), nats that are subtracted from the log-probability of each unit.
        labels: What arcs and ends mean: ("word", text, units), ("slot", name, value, words), ("intent", name).
        node_unit: int32 (nodes,), unit of each node; node 0 is the beginning, with the blank.
        arc_source, arc_target: int32 (arcs,), nodes; sorted by target.
        arc_weight: float32 (arcs,), log-probability and `UNIT_BONUS`, nats.
        arc_label_start, arc_label: int32 (arcs + 1,) and (labels of all arcs,); see `arc_labels`.
        final_node: int32 (ends,), nodes where a sentence may end; once for each meaning.
        final_weight: float32 (ends,), nats.
        final_label_start, final_label: As for arcs.
    """

    name: str
    kind: str
    units: list[str]
    frame_seconds: float
    threshold: float
    labels: list[tuple]
    unit_cost: np.ndarray
    node_unit: np.ndarray
    arc_source: np.ndarray
    arc_target: np.ndarray
    arc_weight: np.ndarray
    arc_label_start: np.ndarray
    arc_label: np.ndarray
    final_node: np.ndarray
    final_weight: np.ndarray
    final_label_start: np.ndarray
    final_label: np.ndarray

    def arc_labels(self, arc: int) -> list[tuple]:
        """What an arc means, in the order spoken."""
        return [self.labels[label] for label in self.arc_label[self.arc_label_start[arc]:self.arc_label_start[arc + 1]]]

    def final_labels(self, end: int) -> list[tuple]:
        """What an end means, in the order spoken."""
        rows = slice(self.final_label_start[end], self.final_label_start[end + 1])
        return [self.labels[label] for label in self.final_label[rows]]

    def with_threshold(self, threshold: float) -> "CompiledGrammar":
        """The same grammar with another threshold.

        Raises:
            ValueError: Not below 0, the score of a perfect match.
        """
        if not threshold < 0:
            raise ValueError(f"the threshold of a grammar is below 0, the score of a perfect match; got {threshold}")
        return dataclasses.replace(self, threshold=float(threshold))

    def with_unit_cost(self, unit_cost) -> "CompiledGrammar":
        """The same grammar with other costs of the units, (units + 1,) nats, the blank's first; see `prior_cost`.

        Raises:
            ValueError: Another number of units, or a cost that isn't finite.
        """
        unit_cost = np.asarray(unit_cost, np.float32)
        if unit_cost.shape != (len(self.units) + 1,) or not np.isfinite(unit_cost).all():
            raise ValueError(f"grammar '{self.name}' takes {len(self.units) + 1} finite costs, the blank's first; "
                             f"got shape {unit_cost.shape}")
        return dataclasses.replace(self, unit_cost=unit_cost)

    def check_head(self, head_spec: dict):
        """Makes sure that the grammar was compiled for this head.

        Raises:
            ValueError: It was compiled for other units.
        """
        if (head_spec["kind"], list(head_spec["units"])) != (self.kind, list(self.units)):
            raise ValueError(f"grammar '{self.name}' was compiled for {len(self.units)} {self.kind}, and this model "
                             f"writes {len(head_spec['units'])} other {head_spec['kind']}; compile it for this model")

    def save(self, path: str | Path):
        """Writes the grammar as a `.npz` file of plain arrays, whole or not at all."""
        write_atomically(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The grammar as the bytes of a `.npz` file."""
        header = {"version": VERSION, "name": self.name, "kind": self.kind, "units": self.units,
                  "frame_seconds": self.frame_seconds, "threshold": self.threshold, "labels": self.labels}
        file = io.BytesIO()
        np.savez_compressed(file, grammar=np.frombuffer(json.dumps(header).encode(), np.uint8),
                            **{name: getattr(self, name) for name in _ARRAYS})
        return file.getvalue()

    @classmethod
    def load(cls, path: str | Path, head_spec: dict | None = None) -> "CompiledGrammar":
        """Reads what `save` wrote.

        Args:
            path: The file.
            head_spec: Spec of the head it will decode; checked where given.

        Raises:
            ValueError: Not a compiled grammar, of another version, damaged, or compiled for other units.
            OSError: The file can't be read.
        """
        with open(path, "rb") as file:
            try:
                with np.load(file, allow_pickle=False) as arrays:
                    header = json.loads(bytes(arrays["grammar"]))
                    values = {name: arrays[name] for name in _ARRAYS if name in arrays}
                if header["version"] == VERSION:
                    grammar = cls(**{name: header[name] for name in ("name", "kind", "units", "frame_seconds",
                                                                     "threshold")},
                                  labels=[tuple(label) for label in header["labels"]], **values)
                    grammar._check()
            except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, OSError) as error:
                raise ValueError(f"{path}: not a compiled grammar, or a damaged one ({error})") from None
        if header["version"] != VERSION:
            raise ValueError(f"{path}: a compiled grammar of version {header['version']}, and this is version "
                             f"{VERSION}; compile it again")
        if head_spec is not None:
            try:
                grammar.check_head(head_spec)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None
        return grammar

    def _check(self):
        """Refuses what decoding would stumble over: a file from elsewhere is data."""
        arcs, ends, nodes = len(self.arc_source), len(self.final_node), len(self.node_unit)
        good = self.kind in UNITS and all(isinstance(unit, str) for unit in self.units)
        good &= self.frame_seconds > 0 and self.threshold < 0 and isinstance(self.name, str)
        good &= all(len(label) == _LABEL_SIZES.get(label[0]) for label in self.labels)
        for name, (length, least, limit) in {
            "node_unit": (nodes, 0, len(self.units) + 1), "arc_source": (arcs, 0, nodes),
            "arc_target": (arcs, 1, nodes), "arc_label_start": (arcs + 1, 0, len(self.arc_label) + 1),
            "arc_label": (len(self.arc_label), 0, len(self.labels)), "final_node": (ends, 1, nodes),
            "final_label_start": (ends + 1, 0, len(self.final_label) + 1),
            "final_label": (len(self.final_label), 0, len(self.labels)),
        }.items():
            array = getattr(self, name)
            good &= array.shape == (length,) and array.dtype == np.int32
            good &= not length or least <= array.min() and array.max() < limit
        for name, length in (("arc_weight", arcs), ("final_weight", ends), ("unit_cost", len(self.units) + 1)):
            array = getattr(self, name)
            good &= array.shape == (length,) and array.dtype == np.float32 and bool(np.isfinite(array).all())
        # Every node but the first is reached, in order.
        good &= ends > 0 and np.array_equal(np.unique(self.arc_target), np.arange(1, nodes))
        good &= bool((np.diff(self.arc_target) >= 0).all())
        if not good:
            raise ValueError("its arrays don't fit together")


_ARRAYS = [item.name for item in dataclasses.fields(CompiledGrammar) if item.type is np.ndarray]
