"""Published checkpoints: what they are, what their makers measured, and what was measured here."""

from pathlib import Path

from tools.figures import read_figures
from tools.markdown import percent, table

CHECKPOINTS = {"tiny.en": ("Whisper tiny.en", "MIT", 0.056), "base": ("Whisper base", "MIT", 0.050)}
"""`CHECKPOINTS` are name -> title, licence, and words wrong on LibriSpeech test-clean as published, greedy (Radford et
al. 2022, https://arxiv.org/abs/2212.04356, table 8)."""
SYSTEMS = {"float32": "speechzoo, float32", "dynamic": "speechzoo, dynamic", "theirs": "faster-whisper, int8"}


def checkpoints(folder: Path) -> list[str]:
    """A line per checkpoint, from `decoders.csv`."""
    found = {}
    for row in read_figures(folder / "decoders.csv"):
        found.setdefault(row["checkpoint"], {})[row["system"]] = row
    cells = []
    for name, rows in found.items():
        title, licence, published = CHECKPOINTS[name]
        own = {key: rows.get(system, {}) for key, system in SYSTEMS.items()}
        sizes = " / ".join("" if not row else f"{row['megabytes']:.0f}" for row in (own["float32"], own["dynamic"]))
        cells.append([title, licence, sizes, percent(published), *(
            percent(row.get("wer"), row.get("wer_low"), row.get("wer_high")) for row in own.values()),
            f"{own['dynamic']['real_time_factor']:.3f}"])
    return table(["", "licence", "MB: float32 / `dynamic`", "words wrong: published, test-clean",
                  "here, dev-clean: float32", "`dynamic`", "faster-whisper, int8", "real-time factor of `dynamic`"],
                 cells, left=2)


TABLES = {"checkpoints": checkpoints}
