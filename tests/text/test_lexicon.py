import sys

import pytest

from speechzoo.text.lexicon import LexiconError, load_lexicon


def test_reads_cmudict_and_kaldi_files(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text(";;; a comment\nHELLO  HH AH0 L OW1\nHELLO(1)  HH EH0 L OW1\nhello(2) HH EH1 L OW0\n"
                    "<UNK> SPN\n!SIL SIL\n\n"
                    "the\tDH_B AH0_E # an article\nit's 0.5 IH_B T_I S_E\n#hash-mark M AA1 R K\n")
    assert load_lexicon(path) == {
        "hello": [["HH", "AH", "L", "OW"], ["HH", "EH", "L", "OW"]], "the": [["DH", "AH"]], "it's": [["IH", "T", "S"]]}


@pytest.mark.parametrize("line, message", [("bear B ER X", "lexicon.txt:1: 'X' is not an ARPAbet phone"),
                                           ("bear", "lexicon.txt:1: no phones")])
def test_names_the_broken_line(tmp_path, line, message):
    (tmp_path / "lexicon.txt").write_text(line)
    with pytest.raises(LexiconError, match=message):
        load_lexicon(tmp_path / "lexicon.txt")


def test_missing_file_and_package(tmp_path, monkeypatch):
    with pytest.raises(LexiconError, match="nothing.txt: no such lexicon"):
        load_lexicon(tmp_path / "nothing.txt")
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(ImportError, match=r"pip install 'speechzoo\[lexicon\]'"):
        load_lexicon("cmudict")


def test_cmudict():
    pytest.importorskip("pocketsphinx", reason="pocketsphinx comes with the extra [lexicon]")
    lexicon = load_lexicon("cmudict")
    assert len(lexicon) > 120_000 and not any("(" in word for word in lexicon)
    assert lexicon["read"] == [["R", "EH", "D"], ["R", "IY", "D"]]
    assert lexicon["the"][0] == ["DH", "AH"] and lexicon["a"][0] == ["AH"]
    assert lexicon["it's"] == [["IH", "T", "S"]]


def test_files_of_words_are_read_alike(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_bytes("\ufeffit\u2019s IH T S\n<s> AA\n<UNK> AA\n!SIL AA\ncafe\u0301 K AE F EY\n".encode())
    assert list(load_lexicon(path)) == ["it's", "caf\u00e9"]
    path.write_bytes("bear B EH R\ncaf\u00e9 K AE F EY\n".encode("latin-1"))
    with pytest.raises(LexiconError, match="lexicon.txt:2: not UTF-8; if it is Latin-1"):
        load_lexicon(path)
