"""Reading NeMo's `.nemo` files: a tar archive, gzipped or not, with a PyTorch checkpoint and a YAML of its config."""

from pathlib import Path

from speechzoo.published.array_file import ArrayFile
from speechzoo.published.pytorch import PyTorchFile
from speechzoo.published.tar_reading import TarArchive

WEIGHTS, CONFIG = "model_weights.ckpt", "model_config.yaml"
_MAXIMUM_TEXT = 16 << 20  # bytes; a tokenizer's model has 0.3 million


class NeMoFile(ArrayFile):
    """The tensors of a `.nemo` file. Its members are read where they are.

    Args:
        path: The file.

    Raises:
        ValueError: No such file, truncated, damaged, expanding beyond what weights do, or with a member that is a link
            or lies outside; and what `PyTorchFile` raises.
    """

    kind = "NeMo file"

    def __init__(self, path: str | Path):
        super().__init__(Path(path))
        self._archive = TarArchive(self.path, self.damaged)
        if WEIGHTS not in self._archive.members:
            raise self.damaged(f"it has no {WEIGHTS}")
        checkpoint = PyTorchFile(self.path, lambda: self._archive.open(WEIGHTS))
        self._places, self.values = checkpoint._places, checkpoint.values

    @property
    def members(self) -> list[str]:
        """Names of the files in it."""
        return list(self._archive.members)

    def text(self, name: str = CONFIG) -> bytes:
        """A member beside the weights: the config, a tokenizer's model.

        Raises:
            ValueError: It is larger than such files are.
        """
        return self._archive.read(name, _MAXIMUM_TEXT)

    def open(self):
        return self._archive.open(WEIGHTS)
