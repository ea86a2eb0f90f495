"""Files that speechzoo 0.1.0 wrote open, and give what they gave then.

`fixtures/` was made by `make_fixtures.py`, which says how and at which commit. `golden.json` and `golden.npz` hold what
was measured with the files on the day they were made. Whatever moves inside the package, these files stay as they are.
"""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import speechzoo

FIXTURES = Path(__file__).parent / "fixtures"
SAMPLE_RATE = 16000
# Of logits of some tens, probabilities and figures, for other processors and other versions of TensorFlow and LiteRT.
# Where the files were made, a resumed run ends the same to 1e-7; if its optimizer lost its state, it is off by 0.09.
TOLERANCE = 5e-3
LEXICON = {"go": [["G", "OW"]], "back": [["B", "AE", "K"]], "stop": [["S", "T", "AA", "P"]], "now": [["N", "AW"]]}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The fixtures in a folder of their own, unpacked."""
    folder = tmp_path_factory.mktemp("compatibility") / "fixtures"
    shutil.copytree(FIXTURES, folder)
    for path in folder.rglob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    return folder


@pytest.fixture(scope="module")
def golden():
    return json.loads((FIXTURES / "golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def arrays():
    with np.load(FIXTURES / "golden.npz") as archive:
        return dict(archive)


@pytest.fixture(scope="module")
def model(files):
    return speechzoo.load(files / "model" / "tiny_streaming.yaml", files / "model" / "tiny_streaming.weights.h5")


@pytest.fixture
def edge(files):
    """Opened anew for each test: a file that learns keeps what it has learnt as long as it is open."""
    return speechzoo.EdgeModel(files / "tiny_streaming.tflite")


@pytest.fixture(scope="module")
def sounds(files):
    return {path.stem: path for path in sorted((files / "sounds").glob("*.flac"))}


@pytest.fixture(scope="module")
def audio(sounds):
    return speechzoo.load_audio(sounds["go_back_ben"])


def assert_same(found, golden, where="", tolerance=TOLERANCE):
    """All that is in `golden` is in `found`; keys that came later may stand beside it."""
    if isinstance(golden, dict):
        for key, value in golden.items():
            assert key in found, f"{where}: no {key}"
            assert_same(found[key], value, f"{where}/{key}", tolerance)
    elif isinstance(golden, list):
        assert len(found) == len(golden), f"{where}: {found} for {golden}"
        for number, (one, other) in enumerate(zip(found, golden)):
            assert_same(one, other, f"{where}/{number}", tolerance)
    elif isinstance(golden, float):
        assert found == pytest.approx(golden, abs=tolerance, rel=1e-3), where
    else:
        assert found == golden, where


def assert_same_recognition(found, golden, where=""):
    """As `assert_same`, but for what is said no longer of a speaker where nobody speaks."""
    withheld = found.get("unanswered", [])
    assert not withheld or found["speech"] == []
    wanted = {label: answer for label, answer in golden.items() if label not in withheld}
    wanted["confidence"] = {label: share for label, share in golden["confidence"].items() if label not in withheld}
    assert_same(found, wanted, where)


def assert_outputs(found, arrays, prefix):
    """The outputs are those of `golden.npz` under `prefix`, and no others."""
    wanted = {name.removeprefix(f"{prefix}/"): value for name, value in arrays.items() if name.startswith(f"{prefix}/")}
    assert wanted and found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, atol=TOLERANCE, rtol=TOLERANCE, err_msg=f"{prefix}/{name}")


def test_weights_give_every_head_its_outputs(model, golden, arrays, audio):
    assert_outputs(model.batch_outputs([audio])[0], arrays, "outputs")
    assert_same(model.spec, golden["spec"])
    assert model.origin.licence == "MIT" and [source["name"] for source in model.origin.derived_from] == ["Ears 1"]


def test_a_file_answers_by_every_signature(edge, golden, arrays, audio):
    assert_same(edge.spec, golden["spec"])
    assert {name: sorted(outputs) for name, outputs in _outputs(edge.signatures).items()} == {
        name: sorted(outputs) for name, outputs in _outputs(golden["signatures"]).items()}
    assert_outputs(edge.batch_outputs([audio])[0], arrays, "outputs")
    for name in ("keyword", "embed", "embed_word", "adapt_frames"):
        assert_outputs(edge.run(name, audio=audio[None]), arrays, name)
    artifact = edge.artifact
    assert (artifact.quantize, artifact.card, artifact.licence) == ("none", "# tiny_streaming\n", "MIT")
    assert "Do what you like." in artifact.notices
    assert {row["head"] for row in artifact.parity} == set(edge.spec["heads"])


def _outputs(signatures):
    return {name: signature["outputs"] for name, signature in signatures.items()}


@pytest.mark.parametrize("name", ["back_ben", "go_anna", "go_back_ben", "hiss", "stop_anna"])
def test_recordings_are_recognised_as_they_were(edge, model, golden, sounds, name):
    wanted = golden["recognitions"][name]
    assert_same_recognition(edge.recognize(sounds[name]).to_dict(), wanted)
    assert_same_recognition(model.recognize(sounds[name]).to_dict(), wanted)
    assert_same(speechzoo.Recognition.from_dict(wanted).to_dict(), wanted, tolerance=1e-6)
    early = edge.recognize(sounds[name], heads=["keyword"])  # from the blocks up to its own
    assert early.keyword == wanted["keyword"] and early.transcript is None


def test_a_stream_is_heard_as_it_was(edge, golden, audio):
    stream = edge.stream(threshold=0.5)
    heard = [each for part in np.array_split(np.pad(audio, (0, SAMPLE_RATE)), 7) for each in stream.feed(part)]
    found = [each.to_dict() for each in (*heard, *stream.finish())]
    assert {"partial", "keyword", "utterance"} <= {each["kind"] for each in golden["stream"]}
    assert_same(found, [_in_the_stream(each) for each in golden["stream"]])


def _in_the_stream(event):
    """An event whose words had times from its own start, with those of the stream."""
    timed = {field: [{**each, "start": each["start"] + event["start"], "end": each["end"] + event["start"]}
                     for each in event[field]] for field in ("words", "phone_times", "speech") if field in event}
    return {**event, **timed}


def test_a_compiled_grammar_decodes_as_it_did(files, edge, golden, arrays, sounds):
    wanted = golden["parse"]
    assert wanted["accepted"] and wanted["slots"] == {"direction": "forth"}
    for commands in (speechzoo.CommandDecoder(files / "grammar.npz", edge.spec),
                     speechzoo.CommandDecoder(files / "grammar.yaml", edge.spec, LEXICON)):
        parse = commands({"phones": arrays["command"]})
        assert_same({name: getattr(parse, name) for name in wanted}, wanted)
    for name, path in sounds.items():
        found = edge.recognize(path, grammar=files / "grammar.npz").to_dict()
        assert_same_recognition(found, golden["commands"][name], name)


def test_voices_are_known_again(files, edge, model, golden, sounds):
    for source in (edge, model):
        voices = speechzoo.Voices(source)
        voices.load(files / "voices.npz")
        assert voices.names == ["anna", "ben"]
        found = {name: list(voices.identify(path)) for name, path in sounds.items()}
        assert found.pop("hiss") == [None, 0.0]  # nobody speaks
        assert_same(found, {name: voice for name, voice in golden["voices"].items() if name != "hiss"})


def test_learnt_words_are_heard_and_more_are_learnt(files, edge, golden, sounds):
    words = speechzoo.CustomWords(edge, threshold=0.7)
    words.load(files / "words.npz")
    assert words.names == ["go", "back"]
    assert_same({name: words.scores(path) for name, path in sounds.items()}, golden["words"])
    assert words.recognize(sounds["go_anna"])[0] == "go" and words.recognize(sounds["stop_anna"])[0] is None
    words.add("stop", [sounds["stop_anna"]])  # which trains on the recordings of the others, too
    assert words.recognize(sounds["go_anna"])[0] == "go" and words.recognize(sounds["stop_anna"])[0] == "stop"


def test_an_owner_is_heard_as_adapted_and_goes_on(files, edge, golden, arrays, audio, sounds):
    owner = speechzoo.Owner(edge, LEXICON)
    owner.load(files / "owner.npz")
    (adapted,) = edge.batch_outputs([audio])
    np.testing.assert_allclose(adapted["phones"], arrays["adapted/phones"], atol=TOLERANCE, rtol=TOLERANCE)
    assert np.abs(arrays["adapted/phones"] - arrays["outputs/phones"]).max() > 1
    losses = owner.adapt([("go back", sounds["go_back_ben"])])  # what was learnt is where it begins
    assert_same(list(losses), golden["owner"]["more"], tolerance=0.05)
    owner.forget()
    assert_outputs(edge.batch_outputs([audio])[0], arrays, "outputs")


def test_a_prepared_corpus_gives_the_figures_that_it_gave(files, edge, model, golden):
    manifest, wanted = files / "corpus" / "manifest.jsonl", golden["evaluation"]
    assert_same(speechzoo.evaluate(model, manifest, confusions=True), wanted["model"])
    # Heads whose answers the grammar gives are measured when they are named.
    found = speechzoo.evaluate(edge, manifest, list(edge.spec["heads"]), grammar=files / "grammar.npz")
    assert_same(found, wanted["file"])
    assert set(wanted["model"]["overall"]) == set(edge.spec["heads"])  # each of them was measured


def test_a_finished_run_opens(files, golden, arrays, audio):
    run = speechzoo.load(files / "finished_run")
    assert_outputs(run.batch_outputs([audio])[0], arrays, "finished_run")
    assert_same(speechzoo.evaluate(run, files / "corpus" / "manifest.jsonl", split="dev"),
                golden["evaluation"]["finished_run"])


def test_an_interrupted_run_goes_on_to_the_same_end(files, golden, arrays, audio):
    log = files / "run" / "log.jsonl"
    before, wanted, records = log.read_text(encoding="utf-8"), golden["run"], []
    assert set(speechzoo.load(files / "run").heads) == {"keyword", "speaker", "letters"}  # the best weights so far
    result = speechzoo.train(files / "training.yaml", files / "run", on_record=records.append)
    assert (result.ended, result.step, result.total_steps) == ("finished", wanted["steps"], wanted["steps"])
    assert min(record["step"] for record in records) > wanted["interrupted_at"]
    assert [record["event"] for record in records][-2:] == ["dev", "final"]
    lines = log.read_text(encoding="utf-8")
    assert lines.startswith(before) and len(lines.splitlines()) == len(before.splitlines()) + len(records)
    assert result.audio_hours == pytest.approx(wanted["audio_hours"])
    assert_same(result.metrics, wanted["metrics"])
    assert_outputs(speechzoo.load(files / "run").batch_outputs([audio])[0], arrays, "finished_run")
