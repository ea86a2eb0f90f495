import pytest

from speechzoo.text.reading import is_symbol, read_words_file


def test_files_of_words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeffit\u2019s\ncafe\u0301\n".encode())
    assert read_words_file(path) == "it's\ncaf\u00e9\n"


def test_latin_1_is_an_error_that_says_so(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("bear\ncaf\u00e9\n".encode("latin-1"))
    with pytest.raises(ValueError, match="words.txt:2: not UTF-8; if it is Latin-1: iconv"):
        read_words_file(path)


def test_symbols():
    assert all(map(is_symbol, ["<s>", "</s>", "<unk>", "<UNK>", "!SIL", "<eps>"]))
    assert not any(map(is_symbol, ["s", "hello", "!", "<", "a>", "it's"]))
