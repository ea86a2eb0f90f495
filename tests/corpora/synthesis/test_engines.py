import json
import os
import stat

import numpy as np
import pytest

from speechzoo.corpora.synthesis.engine import Engine
from speechzoo.corpora.synthesis.engines import (ENGINES, EngineError, EspeakNg, Festival, Flite, Piper, find_voices,
                                                 speak)
from speechzoo.corpora.synthesis.voice import Voice
from speechzoo.data.trimming import speech_bounds

INSTALLED = {name: engine for name, engine in ENGINES.items() if name != "piper"}
SENTENCE = "turn on the light in the kitchen"

ESPEAK_ENGLISH = """Pty Language       Age/Gender VoiceName          File                 Other Languages
 2  en-gb           --/M      English_(Great_Britain) gmw/en               (en 2)
 3  en-uk           --/M      english-mb-en1     mb/mb-en1            (en-gb 3)(en 2)
 2  en-us           --/M      English_(America)  gmw/en-US            (en 3)
 5  variant         --/M      Storm              !v/Storm             (en-us 5)
"""
ESPEAK_VARIANTS = """Pty Language       Age/Gender VoiceName          File                 Other Languages
 5  variant         --/M      Mr_Serious         !v/Mr serious
 5  variant         --/M      whisper            !v/whisper
 5  variant         70/F      female1            !v/f1
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Makes programs that do what a line of shell says; no others are found."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def make(name, script):
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return make


@pytest.mark.parametrize("name", INSTALLED)
def test_real_voices_speak(name):
    engine = ENGINES[name]()
    if not engine.installed():
        pytest.skip(f"{engine.program} is not installed")
    voices = engine.voices()
    assert voices and len(set(map(str, voices))) == len(voices) and all(v.language.startswith("en") for v in voices)
    for voice in voices[:1] + voices[-1:]:
        audio, sample_rate = engine.speak(SENTENCE, voice, 1.0)
        again, _ = engine.speak(SENTENCE, voice, 1.0)
        fast, _ = engine.speak(SENTENCE, voice, 1.4)
        np.testing.assert_array_equal(audio, again)
        (first, last), (first_fast, last_fast) = speech_bounds(audio, sample_rate), speech_bounds(fast, sample_rate)
        assert 1.0 < (last - first) / sample_rate < 4.0 and 0.05 < np.abs(audio).max() < 1
        assert (last_fast - first_fast) < 0.88 * (last - first)
        np.testing.assert_array_equal(speak(SENTENCE, voice, 1.0)[0], audio)


def test_espeak_ng_lists_accents_times_variants(programs):
    lists = f'--voices=en) cat <<"E"\n{ESPEAK_ENGLISH}E\n;; *) cat <<"E"\n{ESPEAK_VARIANTS}E\n;;'
    programs("espeak-ng", f'case "$1" in {lists} esac')
    assert EspeakNg().voices() == [
        Voice("espeak-ng", "en-gb+Mr serious", "Mr serious", "en-gb", "male"),
        Voice("espeak-ng", "en-gb+f1", "f1", "en-gb", "female"),
        Voice("espeak-ng", "en-us+Mr serious", "Mr serious", "en-us", "male"),
        Voice("espeak-ng", "en-us+f1", "f1", "en-us", "female")]


def test_one_talker_of_several_engines(programs):
    programs("flite", 'echo "Voices available: kal awb_time kal16 slt cmu_us_xyz "')
    programs("festival", 'echo "cmu_us_slt_arctic_hts english female american"\n'
                         'echo "kal_diphone english male american"\necho "el_diphone spanish male castilian"')
    assert [(str(voice), voice.talker, voice.gender) for voice in Flite().voices() + Festival().voices()] == [
        ("flite:cmu_us_xyz", "xyz", None), ("flite:kal16", "kal", "male"), ("flite:slt", "slt", "female"),
        ("festival:cmu_us_slt_arctic_hts", "slt", "female"), ("festival:kal_diphone", "kal", "male")]


def test_nothing_installed_says_what_to_install(programs):
    with pytest.raises(EngineError) as error:
        find_voices()
    message = str(error.value)
    for part in ("no speech engine", "apt install espeak-ng", "flite", "festival", "dnf install", "brew install"):
        assert part in message
    assert "\n" not in message and "None" not in message


def test_voices_by_pattern(programs):
    programs("flite", 'echo "Voices available: awb kal16 rms slt"')
    assert [voice.name for voice in find_voices(["flite:r*", "*:slt"])] == ["rms", "slt"]
    with pytest.raises(EngineError, match="no voice is called festival:.; there are 4 such as flite:awb"):
        find_voices(["festival:*"])


@pytest.mark.parametrize("script, message", [
    ("echo bad luck >&2; exit 3", "flite ended with code 3: bad luck"),
    ("cat > /dev/null", "flite wrote no audio .no such file"),
    ('for last; do :; done; echo hello > "$last"', "flite wrote no audio .a text file"),
])
def test_a_failing_engine(programs, script, message):
    programs("flite", script)
    with pytest.raises(EngineError, match=message):
        speak("hello", Voice("flite", "slt", "slt"), 1.0)


def test_missing_and_hanging_programs(programs, monkeypatch):
    with pytest.raises(EngineError, match="flite isn't installed"):
        speak("hello", Voice("flite", "slt", "slt"), 1.0)
    programs("flite", "exec sleep 5")
    monkeypatch.setattr("speechzoo.corpora.synthesis.engine._TIMEOUT_SECONDS", 0.1)
    with pytest.raises(EngineError, match="took longer"):
        speak("hello", Voice("flite", "slt", "slt"), 1.0)


def test_text_is_no_program(programs, tmp_path):
    programs("festival", f"cat > {tmp_path}/said; exit 1")
    with pytest.raises(EngineError):
        Festival().speak('x" (system "rm") \\', Voice("festival", "kal_diphone", "kal"), 2.0)
    program = (tmp_path / "said").read_text()
    assert '(Utterance Text "x (system rm) ")' in program and "Duration_Stretch 0.5000" in program


def test_piper_voices_are_files(programs, tmp_path):
    (tmp_path / "en_GB-x.onnx").touch()
    path = str(tmp_path / "en_GB-x.onnx")
    with pytest.raises(EngineError, match=r"x.onnx.json: missing, or not"):
        Piper((path,)).voices()
    (tmp_path / "en_GB-x.onnx.json").write_text(json.dumps({"num_speakers": 2, "language": {"code": "en_GB"}}))
    with pytest.raises(EngineError, match="pip install piper-tts"):
        Piper((path,)).voices()
    programs("piper", f'echo "$@" > {tmp_path}/arguments; cat > {tmp_path}/said; exit 1')
    voices = find_voices(piper=[path])
    assert voices == [Voice("piper", f"en_GB-x#{n}", f"en_GB-x#{n}", "en-gb", path=path) for n in (0, 1)]
    with pytest.raises(EngineError, match="piper ended with code 1"):
        speak("hello", voices[1], 2.0)
    arguments = (tmp_path / "arguments").read_text()
    assert f"--model {path} --speaker 1 --length_scale 0.5000 --noise_scale 0 --noise_w 0 --output_file" in arguments
    assert (tmp_path / "said").read_text() == "hello\n"
    with pytest.raises(EngineError, match="no such voice file"):
        find_voices(piper=[str(tmp_path / "other.onnx")])


def test_engines_leave_nothing_behind(programs, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    programs("flite", "exit 1")
    with pytest.raises(EngineError):
        speak("hello", Voice("flite", "slt", "slt"), 1.0)
    assert not os.listdir(tmp_path / "temporary") and issubclass(Flite, Engine)
