"""Which recordings teach, and which are held out."""

import json

import pytest

from speechzoo.meta.recordings import divide_recordings, held_out


def write(path, rows):
    path.write_text("".join(json.dumps({"audio": f"{number}.wav", **row}) + "\n" for number, row in enumerate(rows)))
    return path


def rows(words, speakers, **more):
    return [{"keyword": word, "speaker": speaker, **more} for word in words for speaker in speakers]


def test_classes_and_speakers_are_held_out(tmp_path):
    path = write(tmp_path / "a.jsonl", rows("abcdefghij", "123456") + [{"keyword": "_silence_"}, {"keyword": "_unknown_"}])
    found = divide_recordings(path, None, "keyword", 100)
    words, others = found.names(found.teaching), found.names(found.held_out)
    assert set(others) == held_out(set("abcdefghij")) and len(others) == 3 and sorted(words + others) == list("abcdefghij")
    people, strangers = ({found.speakers[number] for number in members} for members in (found.teaching, found.held_out))
    assert len(people) == 4 and len(strangers) == 2 and not people & strangers
    assert len(found.teaching) == 7 * 4 and len(found.held_out) == 3 * 2
    assert [found.labels[number] for number in found.silences] == [None]
    assert all(utterance["audio"].startswith(str(tmp_path)) for utterance in found.utterances)


def test_another_corpus_is_held_out_but_for_what_taught(tmp_path):
    first = write(tmp_path / "a.jsonl", rows("abc", "12", corpus="one"))
    second = write(tmp_path / "b.jsonl", rows("cde", "13", corpus="one") + rows("cd", "1", corpus="two"))
    found = divide_recordings(first, second, "keyword", 100)
    assert found.names(found.teaching) == ["a", "b", "c"] and found.names(found.held_out) == ["d", "e"]
    # Speaker 1 of corpus two is somebody else.
    assert {found.speakers[number] for number in found.held_out} == {"one/3", "two/1"}
    few = divide_recordings(first, second, "keyword", 1)
    assert len(few.teaching) == 3 and len(few.held_out) == 2
    with pytest.raises(ValueError, match="all its classes or speakers are in"):
        divide_recordings(first, first, "keyword", 100)


@pytest.mark.parametrize("row, message", [({}, "no usable recording has a label keyword"),
                                          ({"keyword": 3}, "expected text|names to be told apart")])
def test_labels_that_are_no_classes(tmp_path, row, message):
    with pytest.raises(ValueError, match=message):
        divide_recordings(write(tmp_path / "a.jsonl", [row]), None, "keyword", 100)
