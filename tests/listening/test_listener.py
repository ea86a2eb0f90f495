import io
import json
import sys

import numpy as np
import pytest

from speechzoo.cli import main
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.grammar.nodes import Grammar, Words
from speechzoo.listening.listener import LONGEST_SECONDS, Listener
from speechzoo.listening.voice_activity import VoiceActivity
from speechzoo.text.ngram import build_ngram
from tests.fake_model import FakeModel
from tests.helpers import tone, write_wav


def silence(seconds):
    return (1e-4 * np.random.default_rng(1).standard_normal(round(16000 * seconds))).astype(np.float32)


def sound(number, seconds=1.0):
    """What the fake model hears as its text of that number."""
    audio = tone(seconds)
    return audio / np.abs(audio).max() * np.float32(0.2 * (number + 1))


def hear(listener, audio, block=1000):
    events = [event for start in range(0, len(audio), block) for event in listener.feed(audio[start:start + block])]
    return events + list(listener.finish())


STREAM = np.concatenate([silence(1), sound(1), silence(1.5), sound(0, 0.6), silence(1.2), sound(2), silence(1.5), sound(1),
                         silence(1)])
COMMANDS = CommandDecoder(Grammar("moves", {"halt": Words("stop"), "left": Words("go left now")}), FakeModel.spec)


def test_voice_activity_follows_the_noise_floor():
    activity = VoiceActivity()
    noise = np.random.default_rng(2).standard_normal(16000 * 20).astype(np.float32)

    def share(audio):
        frames = audio[:len(audio) // activity.frame * activity.frame].reshape(-1, activity.frame)
        return np.mean([activity.feed(frame) for frame in frames])

    assert share(0.001 * noise) == 0
    assert share(sound(1)) > 0.9
    assert share(0.01 * noise) < 0.6  # louder noise: speech at first, and then the new floor
    assert share(0.01 * noise) == 0


def test_every_utterance_without_a_wake_word():
    events = hear(Listener(FakeModel(), COMMANDS), STREAM)
    assert [event.recognition.transcript for event in events] == ["stop", "go up", "go left now", "stop"]
    assert [event.recognition.intent for event in events] == ["halt", "none", "left", "halt"]
    for event, start, seconds in zip(events, [1.0, 3.5, 5.3, 7.8], [1, 0.6, 1, 1]):
        assert start - 0.5 <= event.start <= start and start + seconds <= event.end <= start + seconds + 0.8


def test_noise_is_no_utterance_where_the_model_hears_nobody_speak():
    events = hear(Listener(FakeModel(silent=[0, 2]), COMMANDS), STREAM)
    assert [event.recognition.transcript for event in events] == ["stop", "stop"]
    # Times are those of the stream.
    assert [event.recognition.words[0].start - event.start for event in events] == pytest.approx([0, 0], abs=0.05)
    assert events[1].recognition.words[0].start > 7 and events[1].recognition.speech[0].start > 7


@pytest.mark.parametrize("block", [160, 1000, 16000, len(STREAM)])
def test_only_what_follows_the_wake_word(block):
    events = hear(Listener(FakeModel(), COMMANDS, wake_word="yes"), STREAM, block)
    assert [event.kind for event in events] == ["wake_word", "utterance"]
    wake, command = events
    assert wake.recognition.keyword == "yes" and 3.5 < wake.end < 4.6
    assert command.recognition.intent == "left" and 4.8 < command.start <= 5.3


def test_one_of_several_wake_words():
    wake = hear(Listener(FakeModel(), wake_word=["no", "yes"]), np.concatenate([silence(1), sound(1), silence(1.5)]))[0]
    assert (wake.kind, wake.recognition.keyword) == ("wake_word", "no")


def test_each_wake_word_has_a_threshold_of_its_own():
    """The fake model is 99.98 % sure of each."""
    model = FakeModel()
    head = {**model.spec["heads"]["keyword"], "wake_thresholds": {"yes": 0.9999, "no": 0.6}}
    model.spec = {**model.spec, "heads": {**model.spec["heads"], "keyword": head}}
    words = np.concatenate([silence(1), sound(0), silence(1.5), sound(1), silence(1.5)])
    listener = Listener(model, wake_word=["yes", "no"])
    assert listener.thresholds == {"yes": 0.9999, "no": 0.6}
    assert [event.recognition.keyword for event in hear(listener, words) if event.kind == "wake_word"] == ["no"]
    heard = hear(Listener(model, wake_word=["yes", "no"], threshold=0.99), words)
    assert heard[0].recognition.keyword == "yes"
    head["wake_thresholds"]["no"] = None
    with pytest.raises(ValueError, match="'no' is not offered for waking: .* it offers: yes"):
        Listener(model, wake_word="no")


def test_who_says_nothing_after_the_wake_word_is_forgotten():
    stream = np.concatenate([silence(1), sound(0, 0.6), silence(8), sound(1), silence(1)])
    assert [event.kind for event in hear(Listener(FakeModel(), wake_word="yes"), stream)] == ["wake_word"]


def test_memory_is_bounded_and_endless_speech_is_cut():
    listener, lengths = Listener(FakeModel()), []
    events = []
    for _ in range(60):
        events += listener.feed(np.concatenate([sound(1, 0.9), silence(0.1)]))
        lengths.append(len(listener._audio))
    assert max(lengths) <= (LONGEST_SECONDS + 2.5) * 16000
    assert len(events) >= 4 and all(event.end - event.start <= LONGEST_SECONDS + 0.1 for event in events)


def test_an_unknown_wake_word():
    with pytest.raises(ValueError, match="doesn't know the wake word 'maybe'; it knows: yes, no, _unknown_"):
        Listener(FakeModel(), wake_word="maybe")


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["listen", *map(str, arguments)])
    return ended.value.code


def test_the_command_hears_files_and_pipes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: FakeModel())
    path = write_wav(tmp_path / "long.wav", STREAM)
    assert run("fake", path, "--wake-word", "yes") == 0
    out, err = capsys.readouterr()
    assert err == "waiting for 'yes', at a mean posterior of 0.99\n"
    wake, utterance = (json.loads(line) for line in out.splitlines())
    assert (wake["kind"], wake["keyword"], utterance["transcript"]) == ("wake_word", "yes", "go left now")

    class Pipe:
        buffer = io.BytesIO(np.rint(STREAM * 32767).astype("<i2").tobytes())

    monkeypatch.setattr(sys, "stdin", Pipe)
    assert run("fake", "-", "--wake-word", "yes") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert run("fake") == 2
    assert "nothing to listen to" in capsys.readouterr().err


def test_the_command_shows_what_was_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: FakeModel())
    path = write_wav(tmp_path / "short.wav", np.concatenate([silence(1), sound(1), silence(1)]))
    assert run("fake", path) == 0
    everything = json.loads(capsys.readouterr().out)
    assert everything["transcript"] == "stop" and "speaker" not in everything and "event" in everything
    assert run("fake", path, "--heads", "transcript,speaker") == 0
    asked = json.loads(capsys.readouterr().out)
    assert set(asked) == {"kind", "start", "end", "transcript", "words", "speaker", "confidence"}
    assert set(asked["confidence"]) == {"transcript"}
    assert run("fake", path, "--heads", "mood") == 2
    assert "no head 'mood'" in capsys.readouterr().err
    (tmp_path / "words.dict").write_text("go G OW1\nup AH1 P\n")
    build_ngram(["go up"], order=2).save(tmp_path / "words.arpa")
    assert run("fake", path, "--dictation", "--lexicon", tmp_path / "words.dict", "--lm", tmp_path / "words.arpa") == 0
    assert json.loads(capsys.readouterr().out)["transcript"] == "go up"  # what its phones say


def test_a_terminal_gets_lines_for_people(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("speechzoo.opening.open_model", lambda source: FakeModel())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    path = write_wav(tmp_path / "short.wav", np.concatenate([silence(1), sound(3), silence(1)]))
    assert run("fake", path, "--wake-word", "yes", "--heads", "keyword") == 0
    wake, answer, *_ = capsys.readouterr().out.splitlines()
    assert wake.split()[1:4] == ["s", "wake", "word,"] and answer.split() == ["keyword", "100%", "yes"]
    assert run("fake", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "utterance"
