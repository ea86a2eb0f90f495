import json

import numpy as np
import pytest

from speechzoo.config import SourceConfig
from speechzoo.data.manifest import ManifestError
from speechzoo.decoding.attention.search import AttentionSearch
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.ctc.hypothesis import Hypothesis
from speechzoo.decoding.dictation.lexicon_search import LexiconSearch
from speechzoo.evaluation import evaluate, make_batches, open_model
from speechzoo.grammar.nodes import Choice, Grammar, Sequence, Slot, Value, Words
from tests.decoding.attention.writer import Writer
from tests.fake_model import TEXTS, FakeModel
from tests.helpers import tone, write_wav


@pytest.fixture
def make_manifest(tmp_path):
    def make(lines, name="dev.jsonl"):
        for line in lines:
            if "audio" not in line:
                number = line.pop("number")
                line["audio"] = f"{number}.wav"
                write_wav(tmp_path / line["audio"], tone(0.3 + 0.1 * number) * 3 * 0.2 * (number + 1))
        path = tmp_path / name
        path.write_text("\n".join(json.dumps(line) for line in lines))
        return path
    return make


def test_every_labelled_head_per_corpus_and_overall(make_manifest):
    manifest = make_manifest([
        {"number": 0, "corpus": "a", "speaker": "x", "transcript": "Go up!", "keyword": "yes", "slots": {}},
        {"number": 1, "corpus": "a", "speaker": "x", "transcript": "stop it", "keyword": "yes"},
        {"number": 2, "corpus": "b", "speaker": "x", "transcript": "go left now", "keyword": "marvin"},
        {"number": 3, "corpus": "b", "speaker": "z", "phones": "G OW P", "slots": {"size": "large"}},
    ])
    result = evaluate(FakeModel(), manifest)
    assert set(result) == {"overall", "a", "b"}
    assert set(result["overall"]) == {"transcript", "phones", "keyword", "slots"}
    assert result["overall"]["transcript"]["wer"] == pytest.approx(1 / 7, abs=1e-6)  # "it" of seven words is missing
    assert result["overall"]["transcript"]["cer"] == pytest.approx(3 / 23, abs=1e-6)
    assert result["overall"]["transcript"]["n"] == 3
    low, high = result["overall"]["transcript"]["wer_interval"]
    assert low == 0 and high == 0.25  # two speakers: a/x with 1 error in 4 words, b/x without any
    assert result["a"]["transcript"]["wer"] == 0.25 and "wer_interval" not in result["a"]["transcript"]
    assert result["overall"]["phones"]["per"] == pytest.approx(1 / 3, abs=1e-6)
    assert result["overall"]["keyword"]["accuracy"] == pytest.approx(2 / 3, abs=1e-6)  # marvin is _unknown_
    assert result["overall"]["slots"] == {"f1": 0.0, "accuracy": 0.5, "n": 2, "f1_interval": [0, 1],
                                          "accuracy_interval": [0, 1]}
    json.dumps(result, allow_nan=False)


def test_speech_is_measured_frame_by_frame(make_manifest):
    # Recording n has the first n + 2 frames of "none, speech, speech, none".
    lines = [{"number": 3, "alignment": [["SIL", 0.1], ["AH", 0.3], ["SIL", 0.4]], "corpus": "a"},
             {"number": 2, "speech": [["none", 0.2], ["speech", 0.3], ["none", 0.4]], "corpus": "a"},
             {"number": 0, "speech": "none", "corpus": "b"}, {"number": 1, "speech": "none", "corpus": "b"},
             {"number": 1, "transcript": "stop", "corpus": "b"}]
    result = evaluate(FakeModel(), make_manifest(lines), heads=["speech"])
    assert result["overall"]["speech"]["n"] == 4
    assert result["overall"]["speech"]["accuracy"] == pytest.approx((4 + 3 + 1 + 1) / 13, abs=1e-6)
    assert result["overall"]["speech"]["f1"] == pytest.approx(2 * 3 / (2 * 3 + 4), abs=1e-6)
    assert result["overall"]["speech"]["auc"] == pytest.approx((3 * 6 + 3 * 4 / 2) / (3 * 10), abs=1e-6)
    assert set(result["b"]["speech"]) == {"accuracy", "accuracy_interval", "n"}
    noises = SourceConfig(str(make_manifest([{"number": 0}, {"number": 1}])), default_labels={"speech": "none"})
    assert evaluate(FakeModel(), [noises])["overall"]["speech"]["accuracy"] == pytest.approx(2 / 5, abs=1e-6)


def test_words_of_a_decoder(make_manifest, tmp_path):
    manifest = make_manifest([{"number": 0, "transcript": "go on"}, {"number": 1, "transcript": "go home"},
                              {"number": 2, "transcript": "go on", "language": "en"}])
    model = Writer({"speech": {"type": "frame_classifier", "label": "speech", "classes": ["none", "speech"],
                               "frame_seconds": 0.1}})
    for heads in (None, ["transcript"]):
        figures = evaluate(model, manifest, heads, predictions=tmp_path / "said.jsonl")["overall"]["transcript"]
        assert figures["wer"] == pytest.approx(1 / 6, abs=1e-6) and figures["n"] == 3
    said = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert [line["transcript"] for line in said] == ["go on"] * 3 and said[0]["labels"] == {"language": "de"}
    german = evaluate(model, manifest, decoder=AttentionSearch(language="de"))["overall"]["transcript"]
    assert german["wer"] == pytest.approx(1 / 6, abs=1e-6)
    model.decode_steps = {}
    with pytest.raises(ValueError, match="^head 'transcript' writes token by token"):
        evaluate(model, manifest)


def test_speakers_are_told_apart_by_all_trials(make_manifest):
    lines = [{"number": number, "speaker": "ab"[number // 2], "corpus": "c"} for number in range(4)]
    result = evaluate(FakeModel(), make_manifest(lines))
    assert result["overall"]["speaker"]["eer"] == 0 and result["overall"]["speaker"]["trials"] == 6
    swapped = [{**line, "speaker": "ab"[number % 2]} for number, line in enumerate(lines)]
    assert evaluate(FakeModel(), make_manifest(swapped))["overall"]["speaker"]["eer"] == 0.5
    with pytest.raises(ValueError, match="nothing to measure"):
        evaluate(FakeModel(), make_manifest([{**line, "speaker": "a"} for line in lines]))


def test_what_cannot_be_used_is_skipped_and_reported(make_manifest, tmp_path):
    (tmp_path / "text.wav").write_text("this is no recording")
    write_wav(tmp_path / "long.wav", tone(3))
    manifest = make_manifest([
        {"number": 0, "event": "rain"}, {"number": 1, "event": "chainsaw"},
        {"audio": "missing.wav", "event": "rain", "id": "gone"}, {"audio": "text.wav", "event": "rain"},
        {"audio": "long.wav", "event": "rain"}, {"audio": "missing.wav", "gender": "male"},
    ])
    result = evaluate(FakeModel(), manifest, maximum_seconds=2)
    assert result["overall"]["event"] == {"accuracy": 1.0, "macro_f1": 1.0, "n": 1,
                                          "calibration_error": pytest.approx(0, abs=1e-3)}
    assert result["_skipped"]["labels"] == {"event": {"chainsaw": 1}}
    reasons = result["_skipped"]["audio"]
    assert len(reasons) == 3
    assert any(reason.startswith("gone: ") and "missing.wav" in reason for reason in reasons)
    assert any("3 s long; at most 2 s" in reason for reason in reasons)


def test_only_what_is_asked_for(make_manifest):
    lines = [{"number": n, "transcript": TEXTS[n], "keyword": "yes", "split": "ab"[n % 2]} for n in range(4)]
    manifest = make_manifest(lines)
    model = FakeModel()
    result = evaluate(model, manifest, heads=["keyword"], split="b")
    assert set(result["overall"]) == {"keyword"} and result["overall"]["keyword"]["n"] == 2 and model.calls == 2
    with pytest.raises(ValueError, match="no head 'mood'"):
        evaluate(model, manifest, heads=["mood"])
    with pytest.raises(ValueError, match="dev.jsonl: no utterance of split test"):
        evaluate(model, manifest, split="test")
    with pytest.raises(ManifestError, match="no such manifest"):
        evaluate(model, "nowhere.jsonl")


def test_a_decoder_replaces_greedy_and_progress_is_told(make_manifest):
    manifest = make_manifest([{"number": 0, "transcript": "go up"}, {"number": 1, "transcript": "go up"}])
    seen = []
    result = evaluate(FakeModel(), manifest, decoder=lambda logits, spec: Hypothesis("go up"), batch_seconds=0.4,
                      progress=lambda done, total: seen.append((done, total)))
    assert result["overall"]["transcript"]["wer"] == 0
    assert seen == [(1, 2), (2, 2)]


def test_predictions_are_of_the_heads_asked_for(make_manifest, tmp_path):
    manifest, path = make_manifest([{"number": 0, "keyword": "yes"}]), tmp_path / "out.jsonl"
    search = LexiconSearch(FakeModel.spec, {"go": [["G", "OW"]], "up": [["AH", "P"]]})
    evaluate(FakeModel(), manifest, heads=["keyword"], decoder=search, predictions=path)
    line, = map(json.loads, path.read_text().splitlines())
    assert set(line) == {"id", "keyword", "confidence"} and set(line["confidence"]) == {"keyword"}
    evaluate(FakeModel(), manifest, heads=["keyword", "transcript"], decoder=search, predictions=path)
    assert json.loads(path.read_text())["transcript"] == "go up"


def test_nothing_is_decoded_twice(make_manifest, tmp_path, monkeypatch):
    calls = []

    def search(logits, spec):
        calls.append("transcript")
        return Hypothesis("go up")

    decode = CommandDecoder.__call__
    monkeypatch.setattr(CommandDecoder, "__call__",
                        lambda self, outputs: calls.append("command") or decode(self, outputs))
    manifest = make_manifest([{"number": 0, "transcript": "go up", "intent": "go"}, {"number": 1}])
    path = tmp_path / "out.jsonl"
    grammar = Grammar("moves", {"go": Words("go up")})
    result = evaluate(FakeModel(), manifest, decoder=search, grammar=grammar, predictions=path)
    assert sorted(calls) == ["command", "command", "transcript", "transcript"]
    assert result["overall"]["command"]["n"] == 1 and result["overall"]["transcript"]["wer"] == 0
    assert [json.loads(line)["intent"] for line in path.read_text().splitlines()] == ["go", "go"]


def test_predictions_and_confusions(make_manifest, tmp_path):
    manifest = make_manifest([{"number": 0, "keyword": "yes"}, {"number": 1, "keyword": "yes"}, {"number": 2}])
    result = evaluate(FakeModel(), manifest, confusions=True, predictions=tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["transcript"] for line in lines] == TEXTS[:3] and lines[0]["id"] == "dev.jsonl:1"
    keyword = result["overall"]["keyword"]
    assert keyword["confusions"] == {"classes": ["yes", "no", "_unknown_"], "counts": [[1, 1, 0], [0, 0, 0], [0, 0, 0]]}
    assert keyword["classes"]["yes"] == {"f1": pytest.approx(2 / 3, abs=1e-6), "precision": 1, "recall": 0.5, "n": 2}


def test_parts_of_a_file_and_absolute_paths(make_manifest, tmp_path):
    loud, soft = tone(0.5) * 0.6, tone(0.5) * 3 * 0.8
    path = write_wav(tmp_path / "far" / "both.wav", np.concatenate([loud, soft]))
    manifest = make_manifest([
        {"audio": str(path), "start": 0.0, "duration": 0.5, "transcript": TEXTS[0]},
        {"audio": "far/both.wav", "start": 0.5, "transcript": TEXTS[3]}])
    assert evaluate(FakeModel(), manifest)["overall"]["transcript"]["wer"] == 0


def test_batches_stay_within_the_budget():
    class Clip:
        def __init__(self, seconds):
            self.id, self.length = f"{seconds}", seconds

        def seconds(self):
            return self.length

    skipped = []
    batches = make_batches([Clip(s) for s in (3, 1, 2, 9, 1, 30)], 4, 20, skipped)
    assert [[clip.length for clip in batch] for batch in batches] == [[1, 1], [2], [3], [9]]
    assert skipped == ["30: 30 s long; at most 20 s are evaluated"]


def test_a_training_run_in_batches_of_any_size(make_manifest, tmp_path):
    import yaml

    from speechzoo.config import HeadConfig, PartConfig, ZooConfig
    from speechzoo.multitask.build import build_model
    from speechzoo.weights import save_weights

    config = ZooConfig(
        name="tiny", summary="For this test.", frontend=PartConfig("log_mel", {"num_mel_bins": 16}),
        backbone=PartConfig("ds_cnn", {"channels": 8, "num_blocks": 1}),
        heads={"transcript": HeadConfig("ctc"), "speaker": HeadConfig("speaker", options={"embedding_size": 8}),
               "gender": HeadConfig("classifier", options={"classes": ["female", "male"]})})
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(yaml.safe_dump(config.to_dict()))
    save_weights(build_model(config, labels={"speaker": ["a", "b"]}), run / "final.weights.h5")
    lines = [{"number": n, "speaker": "ab"[n % 2], "gender": "male", "transcript": "go"} for n in range(4)]
    write_wav(tmp_path / "click.wav", tone(0.005))  # shorter than a window
    manifest = make_manifest([*lines, {"audio": "click.wav", "gender": "male", "transcript": "", "duration": 0.005}])
    model = open_model(run)
    alone = evaluate(model, manifest, batch_seconds=0.01, predictions=tmp_path / "alone.jsonl")
    together = evaluate(model, manifest, batch_seconds=1e6, predictions=tmp_path / "together.jsonl")
    counts = {head: figures["n"] for head, figures in alone["overall"].items()}
    assert counts == {"transcript": 5, "speaker": 4, "gender": 5}
    for head, figures in alone["overall"].items():
        for metric, value in figures.items():
            assert together["overall"][head][metric] == pytest.approx(value, abs=1e-4)
    clips = [{line["id"]: line for line in map(json.loads, (tmp_path / f"{name}.jsonl").read_text().splitlines())}
             for name in ("alone", "together")]
    assert set(clips[0]) == set(clips[1])
    for identity, clip in clips[0].items():
        assert clips[1][identity]["speaker"] == pytest.approx(clip["speaker"], abs=1e-4)
        assert clips[1][identity]["transcript"] == clip["transcript"]
    answer = clips[0]["dev.jsonl:5"]
    assert model.recognize(tmp_path / "click.wav").to_dict()["speaker"] == pytest.approx(answer["speaker"], abs=1e-4)
    (run / "final.weights.h5").unlink()
    with pytest.raises(ValueError, match="no weights yet"):
        open_model(run)


def test_folders_that_are_no_run(tmp_path):
    with pytest.raises(ValueError, match="not a training run"):
        open_model(tmp_path)


class Steadfast(FakeModel):
    """Tells recordings by their length, whatever their noise."""

    def answer(self, audio):
        number = round((len(audio) / 16000 - 0.3) / 0.1)
        return super().answer(np.full(10, 0.2 * (number + 1)))


def test_commands_at_every_ratio(make_manifest, tmp_path):
    manifest = make_manifest([
        {"number": 0, "intent": "move", "slots": {"way": "up"}, "speaker": "ann"},
        {"number": 1, "intent": "halt", "speaker": "bob"},
        {"number": 2, "intent": "move", "slots": {"way": "right"}, "speaker": "bob"},  # it hears "left"
        {"number": 3, "intent": "none", "speaker": "ann"},
    ])
    write_wav(tmp_path / "noise.wav", tone(1.0, 700))
    grammar = Grammar("moves", {"halt": Words("stop"), "move": Sequence((Words("go"), Slot("way", Choice((
        Value("up", Words("up")), Value("left", Words("left now")))))))})
    clean = evaluate(Steadfast(), manifest, grammar=grammar)
    assert clean["overall"]["command"] == {
        "accuracy": pytest.approx(2 / 3, abs=1e-6), "accuracy_interval": [0.5, 1.0], "exact": pytest.approx(2 / 3, abs=1e-6),
        "rejected": 0.0, "slots": {"way": 0.5}, "n": 3, "false_accepts": 0.0, "n_none": 1}
    noisy = evaluate(Steadfast(), manifest, grammar=grammar, noise=tmp_path / "noise.wav", snr=[12, 6],
                     predictions=tmp_path / "answers.jsonl")
    command = noisy["overall"]["command"]
    assert command["n"] == 6 and list(command["by_snr"]) == ["6", "12"]
    assert command["accuracy"] == clean["overall"]["command"]["accuracy"]
    assert "speaker" in clean["overall"] and "speaker" not in noisy["overall"]
    assert "intent" not in clean["overall"] and "slots" not in clean["overall"]  # the grammar answers in their place
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert sorted(answer["snr"] for answer in answers) == [6.0] * 4 + [12.0] * 4
    assert {answer["intent"] for answer in answers} == {"move", "halt", "none"}
    with pytest.raises(ValueError, match="noise and snr go together"):
        evaluate(Steadfast(), manifest, snr=[6])
