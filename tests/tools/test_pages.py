"""tools/pages.py: the tables of the pages are those of the figures."""

import re

import pytest

from tools import pages
from tools.figures import FOLDER, ROOT, write_figures
from tools.markdown import fill, percent, table_of

MARK = "# A\n\n<!-- figures: micro_features -->\n\n{}\n\n<!-- end -->\n\nBy hand.\n"
ROW = {"recordings": "some", "frames": 7, "mean": 1.5, "mean_difference": 0.25, "difference_90": None, "correlation": 1.0}


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_are_what_the_figures_say(page):
    text = page.read_text(encoding="utf-8")
    assert pages.render(text) == text, f"{page}: run python -m tools.pages"


def test_every_file_of_figures_has_a_table():
    # Files that tables read besides the one of their own name.
    others = {"quantization_costs", "results_costs", "wake_word_tuning"}
    assert {path.stem for path in FOLDER.glob("*.csv")} <= pages.TABLES.keys() | others
    shown = {name for page in pages.pages() for name in re.findall(r"<!-- figures: (\w+)", page.read_text("utf-8"))}
    assert len(shown) > 15


def test_a_table_is_written_anew_and_the_rest_stays(tmp_path):
    write_figures(tmp_path / "micro_features.csv", [ROW])
    text = pages.render(MARK.format("of before"), tmp_path)
    assert "of before" not in text and text.startswith("# A\n") and text.endswith("-->\n\nBy hand.\n")
    assert "| some | 7 | 1.50 | 0.250 |  | 1.000 |" in text
    assert pages.render(text, tmp_path) == text


@pytest.mark.parametrize("text, wrong", [
    ("<!-- figures: micro -->\n", "without its"), ("<!-- end -->", "without its"),
    ("<!-- figures: nothing -->\n<!-- end -->", "nothing: no such table; there are .*compare")])
def test_marks_that_are_wrong_are_named(tmp_path, text, wrong):
    with pytest.raises(ValueError, match=wrong):
        pages.render(text, tmp_path)


def test_a_card_without_a_choice_of_figures(tmp_path):
    with pytest.raises(ValueError, match="mine: name the figures of its card in CARDS"):
        pages.render("<!-- figures: checkpoint model=mine -->\n<!-- end -->", tmp_path)


def test_cells():
    assert percent(0.5) == "50.0 %" and percent(None) == "" and percent(0.5, 0.25, 1) == "50.0 % (25.0 to 100.0)"
    assert fill("{a:.0%} of {b:,}", {"a": 0.5, "b": 1200}) == "50 % of 1,200"
    assert fill("{a:.0%} of {b:,}", {"a": None, "b": 1200}) == ""
    assert table_of([{"a": "x", "b": 2}], {"name": "{a}", "": "{b}"}) == ["| name |  |", "| --- | ---: |", "| x | 2 |"]
