import gzip
import itertools
import math

import pytest

from speechzoo.text.ngram import NGram, build_ngram

# Probabilities chosen by hand; the expected values below follow from the definition of back-off.
ARPA = """a comment before the data

\\data\\
ngram 1=5
ngram 2=2
ngram 3=1

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-0.6\t</s>
-0.7\tGO\t-0.3
-0.9\tUP\t-0.2

\\2-grams:
-0.2\t<s> GO\t-0.1
-0.4\tGO UP\t-0.6

\\3-grams:
-0.05\t<s> GO UP

\\end\\
"""


@pytest.fixture
def arpa(tmp_path):
    path = tmp_path / "lm.arpa"
    path.write_text(ARPA)
    return path


def test_worked_arpa(arpa):
    model = NGram.load(arpa)
    assert model.order == 3 and model.words == {"go", "up"}
    assert model.log10("up", ("<s>", "go")) == pytest.approx(-0.05)
    assert model.log10("up", ("up", "go")) == pytest.approx(-0.4)  # no (up, go): no weight, then the bigram
    assert model.log10("go", ("<s>", "go")) == pytest.approx(-0.1 - 0.3 - 0.7)
    assert model.log10("sideways", ("go",)) == pytest.approx(-0.3 - 1.0)
    assert model.log10("</s>", ("go", "up")) == pytest.approx(-0.6 - 0.2 - 0.6)
    assert model.sentence_log10("go up") == pytest.approx(-0.2 - 0.05 - 0.6 - 0.2 - 0.6)
    assert model.perplexity(["go up"]) == pytest.approx(10 ** (1.65 / 3))


def test_compressed_and_written_again(arpa, tmp_path):
    (tmp_path / "copy.gz").write_bytes(gzip.compress(arpa.read_bytes()))
    model = NGram.load(tmp_path / "copy.gz")
    model.save(tmp_path / "again.arpa.gz")
    assert NGram.load(tmp_path / "again.arpa.gz").entries == model.entries


def test_interpolated_kneser_ney_by_hand():
    # Bigrams of "a b" twice and "a c" once: (<s> a) 3, (a b) 2, (b </s>) 2, (a c) 1, (c </s>) 1.
    # Discount of bigrams: n1 = 2, n2 = 2: 2 / 6 = 1/3. Left neighbours: a 1, b 1, c 1, </s> 2: n1 = 3, n2 = 1: 3/5.
    model = build_ngram(["a b", "a b", "a c"], order=2)
    uniform = (3 / 5 * 4 / 5) / 5  # spread over a, b, c, </s> and <unk>
    b = (1 - 3 / 5) / 5 + uniform
    assert 10 ** model.log10("b") == pytest.approx(b)
    assert 10 ** model.log10("never") == pytest.approx(uniform)
    assert 10 ** model.log10("b", ("a",)) == pytest.approx((2 - 1 / 3) / 3 + (1 / 3 * 2 / 3) * b)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_sum_to_one(order):
    model = build_ngram(["a b a", "b b c", "c a", "a b c a", "c"], order=order)
    words = [*model.words, "</s>", "<unk>"]
    for length in range(order):
        for history in itertools.product(["<s>", "a", "b", "c"], repeat=length):
            assert sum(10 ** model.log10(word, history) for word in words) == pytest.approx(1)


def test_longer_histories_fit_the_text_better():
    texts = ["turn on the light", "turn off the light", "turn on the radio", "turn off the radio"] * 5
    perplexities = [build_ngram(texts, order).perplexity(texts) for order in (1, 2, 3)]
    assert perplexities == sorted(perplexities, reverse=True)


@pytest.mark.parametrize("change, message", [
    (("-0.4\tGO UP\t-0.6", "-0.4\tGO"), r"lm.arpa:17: not a line of an ARPA file: '-0.4\tGO'"),
    (("-0.9", "nan"), "lm.arpa:13: not a line"),
    (("\\end\\", ""), "truncated"),
    (("ngram 2=2", "ngram 2=1"), "declares 1 2-grams and holds 2"),
    (("ngram 2=2", "ngram 2=3"), "declares 3 2-grams and holds 2; lines are missing"),
    (("-0.6\t</s>", "-0.6\t</s>\n-0.7\t</s>"), "lm.arpa:12: '</s>' stands in the file already, with another"),
    (("-0.6\t</s>", "inf\t</s>"), "lm.arpa:11: not a line"),
    (("\\2-grams:", "\\two-grams:"), "lm.arpa:15: not a line"),
    (("ngram 2=2", "ngram 2"), "lm.arpa:5: not a line"),
])
def test_damaged_files_name_the_line(arpa, change, message):
    arpa.write_text(ARPA.replace(*change))
    with pytest.raises(ValueError, match=message.replace("\\t", "\t")):
        NGram.load(arpa)


@pytest.mark.parametrize("change", [
    ("-99\t<s>", "-inf\t<s>"), ("-99\t<s>", "-1.#INF\t<s>"), ("-99\t<s>", "-99 \t <s>"),
    ("ngram 1=5", "ngram\t1\t=\t5"), ("ngram 1=5", "ngram 1 = 5 "), ("\\2-grams:", "\\2-grams :"),
    ("ngram 1=5", "ngram 1=6"), ("\n", "\r\n"), ("\n", "\r"), ("a comment", "\\a comment\nngram 7 of them"),
    ("-0.05\t<s> GO UP", "-0.05\t<s> GO UP\t0"), ("-0.9\tUP\t-0.2", "-0.9\tUP\t-2e-1"),
])
def test_the_same_in_other_writing(arpa, change):
    expected = NGram.load(arpa).entries
    text = ARPA.replace(*change)
    if "=6" in change[1]:  # a line that stands there twice
        text = text.replace("-0.6\t</s>", "-0.6\t</s>\n-0.6\t</s>")
    arpa.write_bytes(text.encode())
    assert NGram.load(arpa).entries == expected


def test_blanks_of_other_kinds_are_parts_of_words(arpa):
    arpa.write_text(ARPA.replace("UP", "NEW\u00a0YORK").replace("GO", "\u3000x\u2009"), encoding="utf-8")
    model = NGram.load(arpa)
    assert model.words == {"new\u00a0york", "\u3000x\u2009"}
    assert model.log10("new\u00a0york", ("<s>", "\u3000x\u2009")) == pytest.approx(-0.05)


def test_a_missing_back_off_is_none(arpa):
    arpa.write_text(ARPA.replace("-0.9\tUP\t-0.2", "-0.9\tUP"))
    assert NGram.load(arpa).log10("</s>", ("up",)) == pytest.approx(-0.6)


def test_files_of_another_kind(tmp_path):
    for data in (b"hello", b"\x00\xff\xfe", gzip.compress(b"hello"), b"\x1f\x8bbroken", b""):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(ValueError, match="not an ARPA file"):
            NGram.load(tmp_path / "x")
    with pytest.raises(ValueError, match="no words"):
        build_ngram([" "])
    with pytest.raises(ValueError, match="1 or more"):
        build_ngram(["a"], order=0)


def test_unseen_without_unknown_is_next_to_impossible():
    assert NGram({("a",): (math.log10(1), 0.0)}).log10("b") == -99


def test_words_are_read_as_from_any_file_of_words(tmp_path, arpa):
    text = ARPA.replace("UP", "it\u2019s").replace("\n", "\r\n", 3)
    arpa.write_bytes(("\ufeff" + text).encode())
    assert "it's" in NGram.load(arpa).words and not any(word[0] == "<" for word in NGram.load(arpa).words)
    arpa.write_bytes(ARPA.replace("UP", "caf\u00e9").encode("latin-1"))
    with pytest.raises(ValueError, match=r"lm.arpa:\d+: not UTF-8; if it is Latin-1"):
        NGram.load(arpa)


def test_symbols_in_a_text_are_no_words():
    assert build_ngram(["<s> go up </s>", "go <unk>"]).words == {"go", "up"}
