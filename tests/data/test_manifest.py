import json
import math
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechzoo.data.manifest import (AGE_GROUPS, GENDERS, PHONES, SPEECH_CLASSES, ManifestError, audio_path,
                                     check_utterance, read_manifest, validate_manifest, write_manifest)
from tests.helpers import tone, write_wav

_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_name = _text.filter(str.strip)
_json = st.recursive(st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _name,
                     lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_name, inner, max_size=3),
                     max_leaves=5)
_utterances = st.lists(st.fixed_dictionaries(
    {"audio": _name},
    optional={
        "start": st.floats(0, 1e6),
        "duration": st.floats(1e-3, 1e6),
        "corpus": _name,
        "split": _name,
        "transcript": _text,
        "phones": st.lists(st.sampled_from(PHONES)).map(" ".join),
        "alignment": st.lists(st.floats(0, 20)).map(lambda ends: [["SIL", end] for end in sorted(ends)]),
        "speech": st.sampled_from(SPEECH_CLASSES) | st.lists(st.tuples(st.floats(0, 20), st.sampled_from(
            SPEECH_CLASSES))).map(lambda pairs: [[name, end] for end, name in sorted(pairs)]),
        "slots": st.dictionaries(_name, _name, max_size=3),
        "gender": st.sampled_from(GENDERS),
        "age_group": st.sampled_from(AGE_GROUPS),
        "language": st.text(string.ascii_lowercase, min_size=2, max_size=3),
        "record": st.fixed_dictionaries({"shard": _name, "offset": st.integers(0), "length": st.integers(0)}),
        "of the user's own": _json,
    }), max_size=5)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """One path for all examples of a property."""
    return tmp_path_factory.mktemp("manifest") / "m.jsonl"


def write_lines(path, *lines):
    """Writes a manifest of lines given as text or as values."""
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


@settings(deadline=None, max_examples=60)
@given(_utterances)
def test_what_is_written_is_read_back(scratch, utterances):
    assert write_manifest(scratch, utterances) == len(utterances)
    expected = [{**utterance, "id": f"m.jsonl:{line}"} for line, utterance in enumerate(utterances, 1)]
    assert read_manifest(scratch) == expected


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
       | _json.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_read_or_named(scratch, line):
    scratch.write_bytes(b'{"audio": "a.wav"}\n' + line.replace(b"\n", b" ") + b"\n")
    try:
        utterances = read_manifest(scratch)
    except ManifestError as error:
        assert str(error).startswith(f"{scratch}:2: ") and "\n" not in str(error)
    else:
        assert len(utterances) == (2 if line.strip() else 1)


@settings(deadline=None)
@given(st.sampled_from(["audio", "start", "duration", "phones", "slots", "gender", "age_group", "language", "record"]),
       st.none() | st.booleans() | st.lists(st.none(), max_size=1) | st.just(math.nan) | st.just(-1))
def test_a_wrong_value_is_named_by_its_field(field, value):
    assert [name for name, _ in check_utterance({"audio": "a.wav", field: value})] == [field]


@pytest.mark.parametrize("line, expected", [
    ("{", "not valid JSON"),
    ('["a.wav"]', "expected an object"),
    ('{"audio": "a.wav", "start": NaN}', "not valid JSON: NaN is not a JSON number"),
    ("[" * 100000, "not valid JSON"),
    ('{"audio": "a.wav", "start": 1e999}', "start: expected seconds, got inf"),
    ({"keyword": "yes"}, "audio: missing"),
    ({"adio": "a.wav"}, "audio: missing; every utterance names its audio file; did you mean 'adio'?"),
    ({"audio": 3}, "audio: expected text, got 3"),
    ({"audio": "  "}, "audio: empty"),
    ({"audio": "a\0.wav"}, "audio: not valid text"),
    ('{"audio": "a.wav", "keyword": "\\ud800"}', "keyword: not valid text"),
    ({"audio": "a.wav", "start": -0.5}, "start: -0.5 seconds; must be 0 or more"),
    ({"audio": "a.wav", "duration": 0}, "duration: 0 seconds; must be more than 0"),
    ({"audio": "a.wav", "duration": "1"}, "duration: expected seconds, got '1'"),
    ({"audio": "a.wav", "gender": "femal"}, "gender: unknown value 'femal'; did you mean 'female'?"),
    ({"audio": "a.wav", "age_group": "senior"}, "age_group: unknown value 'senior'; known: adult, child"),
    ({"audio": "a.wav", "phones": "B EH1 R"}, "phones: 'EH1' is not an ARPAbet phone; write it without stress, 'EH'"),
    ({"audio": "a.wav", "alignment": [["B", 0.1], ["SIL", 0.05]]}, "alignment: ['SIL', 0.05] ends before the one before"),
    ({"audio": "a.wav", "alignment": [["b", 0.1]]}, "alignment: expected [phone, end in seconds] with an ARPAbet phone"),
    ({"audio": "a.wav", "alignment": "B 0.1"}, "alignment: expected a list of [phone, end in seconds], got 'B 0.1'"),
    ({"audio": "a.wav", "speech": "noise"}, "speech: unknown value 'noise'; did you mean 'none'?"),
    ({"audio": "a.wav", "speech": [["SIL", 0.1]]}, "speech: expected [speech or none, end in seconds], got ['SIL', 0.1]"),
    ({"audio": "a.wav", "speech": [["none", 0.3], ["speech", 0.1]]}, "speech: ['speech', 0.1] ends before the one before"),
    ({"audio": "a.wav", "speech": 1}, "speech: expected speech, none, or a list of"),
    ({"audio": "a.wav", "phones": "b"}, "phones: 'b' is not an ARPAbet phone"),
    ({"audio": "a.wav", "slots": ["size"]}, "slots: expected an object"),
    ({"audio": "a.wav", "slots": {"size": 3}}, "slots: 'size': expected text, got 3"),
    ({"audio": "a.wav", "language": "English"}, "language: 'English' is not an ISO 639 code"),
    ({"audio": "a.wav", "transcript": ["a"]}, "transcript: expected text"),
    ({"audio": "a.wav", "speaker": 12}, "speaker: expected text, got 12"),
    ({"audio": "a.wav", "keyword": ""}, "keyword: empty; leave the field out"),
    ({"audio": "a.wav", "two\nlines": None}, "'two\\nlines': null"),
    ({"audio": "a.wav", "mood": None}, "mood: null; leave the field out"),
    ({"audio": "a.wav", "record": {"shard": "x"}}, "record: expected an object with shard, offset and length"),
    ({"audio": "a.wav", "record": {"shard": "x", "offset": -1, "length": 2}}, "record: offset: expected a number"),
    ({"audio": "a.wav", "id": "one"}, "id: 'one' is already the id of line 1; ids are unique"),
])
def test_names_file_line_and_field(tmp_path, line, expected):
    path = write_lines(tmp_path / "m.jsonl", {"audio": "a.wav", "id": "one"}, "", line)
    with pytest.raises(ManifestError) as error:
        read_manifest(path)
    assert str(error.value).startswith(f"{path}:3: {expected}")
    assert len(error.value.problems) == 1


def test_lists_every_problem_in_order(tmp_path):
    path = write_lines(tmp_path / "m.jsonl", {"audio": "a.wav", "gender": "m"}, "}", {"audio": 1, "start": "x"})
    with pytest.raises(ManifestError, match=r"m.jsonl:1: gender: .* \(and 3 more\)$") as error:
        read_manifest(path)
    assert [(problem.line, problem.field) for problem in error.value.problems] == [(1, "gender"), (2, ""), (3, "audio"),
                                                                                  (3, "start")]


def test_reads_byte_order_mark_and_blank_lines(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"audio": "a.wav"}\r\n\r\n{"audio": "b.wav", "id": "b"}')
    assert read_manifest(path) == [{"audio": "a.wav", "id": "m.jsonl:1"}, {"audio": "b.wav", "id": "b"}]


def test_missing_manifest(tmp_path):
    with pytest.raises(ManifestError, match="nothing.jsonl: no such manifest$"):
        read_manifest(tmp_path / "nothing.jsonl")


def test_validate_looks_for_audio_and_shards(tmp_path):
    write_wav(tmp_path / "here.wav", tone(0.1))
    (tmp_path / "empty.wav").touch()
    (tmp_path / "shard").write_bytes(b"x")
    record = {"offset": 0, "length": 1}
    path = write_lines(tmp_path / "m.jsonl", {"audio": "here.wav"}, {"audio": str(tmp_path / "here.wav")},
                       {"audio": "gone.wav"}, {"audio": "gone.wav", "record": {"shard": "shard", **record}},
                       {"audio": "here.wav", "record": {"shard": "gone", **record}}, {"audio": "empty.wav"}, "nonsense")
    problems = validate_manifest(path)
    found = [(problem.line, problem.field) for problem in problems]
    assert found == [(3, "audio"), (5, "record"), (6, "audio"), (7, "")]
    assert str(problems[0]).startswith(f"{path}:3: audio: no such file '{tmp_path / 'gone.wav'}'")
    assert problems[2].message.endswith("is empty")


def test_audio_path_is_relative_to_the_manifest(tmp_path):
    assert audio_path(tmp_path / "m.jsonl", {"audio": "x/a.wav"}) == tmp_path / "x" / "a.wav"
    assert str(audio_path(tmp_path / "m.jsonl", {"audio": "/x/a.wav"})) == "/x/a.wav"


def test_a_failed_write_leaves_the_old_manifest(tmp_path):
    path = tmp_path / "new" / "m.jsonl"
    write_manifest(path, [{"audio": "a.wav"}])
    with pytest.raises(ManifestError, match="m.jsonl:2: gender: unknown value 'x'"):
        write_manifest(path, [{"audio": "b.wav"}, {"audio": "c.wav", "gender": "x"}])
    with pytest.raises(ManifestError, match="m.jsonl:2: id: 'same' is already the id of line 1"):
        write_manifest(path, [{"audio": "b.wav", "id": "same"}] * 2)

    def interrupted():
        yield {"audio": "b.wav"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_manifest(path, interrupted())
    assert path.read_text() == '{"audio": "a.wav"}\n'
    assert [file.name for file in path.parent.iterdir()] == ["m.jsonl"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_reported_with_the_manifest():
    with pytest.raises(OSError, match="No space left on device: '/dev/full'$"):
        write_manifest("/dev/full", [{"audio": "a.wav"}])


def test_private_keys_never_reach_a_manifest(tmp_path):
    write_manifest(tmp_path / "m.jsonl", [{"audio": "a.wav", "_audio": object(), "_sample_rate": 8000}])
    assert read_manifest(tmp_path / "m.jsonl") == [{"audio": "a.wav", "id": "m.jsonl:1"}]
