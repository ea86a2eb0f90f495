"""Makes the reference of the Python API out of the docstrings: `python -m tools.reference OUT`, or `make docs`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import pkgutil
import warnings
from pathlib import Path

import speechzoo

# The command line explains itself (`--help`); the others hold data and the way in.
LEFT_OUT = ("speechzoo.cli", "speechzoo.checkpoints", "speechzoo.__main__")


def module_names() -> list[str]:
    """The modules that get a page: all whose names, and whose packages' names, don't begin with an underscore."""
    names = ["speechzoo", *(module.name for module in pkgutil.walk_packages(speechzoo.__path__, "speechzoo."))]
    return [name for name in names if not name.startswith(LEFT_OUT) and "._" not in name]


def write_reference(folder: str | Path, modules: list[str] | None = None) -> Path:
    """Writes a page per module, and returns the page that lists them.

    Args:
        folder: Folder to write to.
        modules: Names of modules; `module_names()` when None.

    Raises:
        ImportError: pdoc or a package that a module needs is missing.
    """
    import pdoc

    for name in speechzoo.__all__:  # these load what they need when they are asked for, which pdoc doesn't do
        setattr(speechzoo, name, getattr(speechzoo, name))
    pdoc.render.configure(docformat="google", footer_text=f"speechzoo {speechzoo.__version__}")
    with warnings.catch_warnings():
        # A package's __all__ hides its modules, so each is asked for by name; those of other packages come twice.
        warnings.filterwarnings("ignore", "The module specification")
        pdoc.pdoc(*(modules or module_names()), output_directory=Path(folder))
    return Path(folder) / "index.html"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", help="folder for the pages")
    print(write_reference(parser.parse_args().out))
