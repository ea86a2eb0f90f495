"""The reference of the Python API: which modules it has, and what a page says."""

import pytest

import speechzoo
from tools import reference


@pytest.fixture
def public_names():
    """Takes the public names off again that a reference puts on the package."""
    before = set(vars(speechzoo))
    yield
    for name in set(vars(speechzoo)) & set(speechzoo.__all__) - before:
        delattr(speechzoo, name)


def test_modules():
    names = reference.module_names()
    assert {"speechzoo", "speechzoo.registry", "speechzoo.heads.head", "speechzoo.decoding.ctc.greedy"} <= set(names)
    assert not [name for name in names if name.startswith("speechzoo.cli") or "__main__" in name]


@pytest.mark.filterwarnings("error")
def test_pages_show_public_names_with_their_docstrings(tmp_path, public_names):
    pytest.importorskip("pdoc", reason="pdoc is not installed: pip install speechzoo[docs]")
    index = reference.write_reference(tmp_path, ["speechzoo", "speechzoo.names"])
    assert index.is_file() and (tmp_path / "speechzoo" / "names.html").is_file()
    page = (tmp_path / "speechzoo.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in page for name in speechzoo.__all__)
    assert "Writes a model for the place where it will run." in page
