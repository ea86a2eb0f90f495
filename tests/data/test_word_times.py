"""When words are spoken, from alignments of phones."""

import pytest

from speechzoo.cli import main
from speechzoo.data.manifest import ManifestError, read_manifest, validate_manifest, write_manifest
from speechzoo.data.word_times import find_words

LEXICON = {"turn": [["T", "ER", "N"]], "on": [["AA", "N"], ["AO", "N"]], "it": [["IH", "T"]], "off": [["AO", "F"]],
           "an": [["AE", "N"]], "a": [["AH"], ["EY"]], "n": [["EH", "N"]]}


def spoken(phones, seconds=0.1):
    """Phones of equal length, `.` is silence."""
    return [["SIL" if phone == "." else phone, round(seconds * number, 3)] for number, phone in enumerate(phones.split(), 1)]


@pytest.mark.parametrize("transcript, phones, found", [
    ("turn it on", "T ER N . IH T AO N .", [0, 1, 2]),
    ("turn it strangely on", "T ER N IH T S T R EY N . AA N", [0, 1, 3]),  # a word that the lexicon lacks
    ("on off", "UH N AO F", [1]),  # said as no pronunciation
    ("on off", "AA N AO . F", [0]),  # falls apart
    ("turn on", "T ER . AA N", [1]),  # a phone is missing
    ("xyz on", "AA N", []),  # nothing is left for the first
    ("a n", "EY EH N", [0, 1]),
    ("on", ". .", []),
])
def test_words_are_where_their_phones_are(transcript, phones, found):
    result = find_words(transcript, spoken(phones), LEXICON)
    assert [number for number, *_ in result] == found
    for number, start, end, said in result:
        assert said in LEXICON[transcript.split()[number]]
        inside = [phone for phone, until in spoken(phones) if start < until <= end and phone != "SIL"]
        assert inside == said


def test_the_commonest_words_are_written(tmp_path, capsys):
    (tmp_path / "lexicon.txt").write_text("turn T ER N\non AA N\non AO N\nit IH T\n")
    sentences = [("first", "Turn it on.", ". T ER N IH T . AO N ."), ("second", "on on", "AA N UH N"), ("third", "it", None)]
    manifest = tmp_path / "manifest.jsonl"
    write_manifest(manifest, [
        {"id": name, "audio": f"{name}.wav", "transcript": text, "language": "en", **({"alignment": spoken(phones)} if phones else {})}
        for name, text, phones in sentences])
    with pytest.raises(SystemExit) as stopped:
        main(["align", str(manifest), "--words", "2", "--workers", "1", "--lexicon", str(tmp_path / "lexicon.txt")])
    assert not stopped.value.code
    assert "2 words, spoken 3 times, the rarest 1 times" in capsys.readouterr().out
    first, second, third = read_manifest(manifest)
    assert first["words"] == [["_unknown_", 0.4], ["it", 0.6], ["_unknown_", 0.7], ["on", 0.9], ["_unknown_", 1.0]]
    assert second["words"] == [["on", 0.2], ["_unknown_", 0.4]]
    assert "words" not in third and not [problem for problem in validate_manifest(manifest) if problem.field == "words"]
    for words, wrong in (([["on", 0.3], ["it", 0.2]], "ends before the one before it"), ("on", "expected a list of .word, end"),
                         ([["", 0.3]], "expected .word, end in seconds.")):
        with pytest.raises(ManifestError, match=f"words: .*{wrong}"):
            write_manifest(manifest, [{**first, "words": words}])
