"""The Wyoming server, over real sockets and with the package's own client."""

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("wyoming", reason="the package wyoming is not installed: pip install speechzoo[wyoming]")

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.intent import Intent, Recognize
from wyoming.ping import Ping
from wyoming.wake import Detect, Detection

from speechzoo.cli import main
from speechzoo.decoding.commands.decoder import CommandDecoder
from speechzoo.decoding.dictation.lexicon_search import LexiconSearch
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.grammar.nodes import Choice, Grammar, Sequence, Slot, Value, Words
from speechzoo.wyoming.detection import WakeWordDetection
from speechzoo.audio.pcm import PcmStream
from speechzoo.wyoming.server import serve
from speechzoo.wyoming.transcription import Transcription
from speechzoo.wyoming.voice import Voice
from tests.decoding.fake_stream import FakeStreamModel
from tests.edge.test_edge_model import BLOCKER
from tests.exporters.tiny_tflite import tiny_tflite
from tests.fake_model import TEXTS, FakeModel
from tests.helpers import tone
from tests.listening.test_listener import silence, sound

WAY = Slot("way", Choice((Value("left", Words("left")), Value("right", Words("right")))))
GRAMMAR = Grammar("moves", {"halt": Words("stop"), "turn": Sequence((Words("go"), WAY, Words("now")))})
SPELT = {"heads": {"transcript": FakeModel.spec["heads"]["transcript"]}}
COMMANDS = CommandDecoder(GRAMMAR, SPELT, lexicon={})


def voice(grammar=True, **options):
    return Voice(FakeModel(), COMMANDS if grammar else None, **options)


@contextlib.asynccontextmanager
async def running(voice):
    uri = f"tcp://127.0.0.1:{free_port()}"
    task = asyncio.create_task(serve(voice, uri))
    await connected(uri)
    yield uri
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


async def connected(uri):
    for _ in range(2400):  # two minutes, for a process that has yet to start on a busy machine
        try:
            return await ask(uri, Ping("ready"), until=("pong",))
        except OSError:
            await asyncio.sleep(0.05)
    raise AssertionError(f"nobody answers on {uri}")


async def ask(uri, *events, until):
    """What a client is told, up to the first event of these types or the end of the connection."""
    async with AsyncClient.from_uri(uri, read_timeout=60) as client:
        for event in events:
            await client.write_event(event.event())
            await asyncio.sleep(0)
        answers = []
        while (answer := await client.read_event()) is not None:
            answers.append(answer)
            if answer.type in until:
                break
        return answers


def talk(who, *requests, until):
    """The answers to several clients, who all talk at the same time."""
    async def all_of_them():
        async with running(who) as uri:
            return await asyncio.gather(*(ask(uri, *request, until=until) for request in requests))

    return asyncio.run(all_of_them())


def chunks(audio, rate=16000, width=2, channels=1, size=3000):
    """Events of a recording, in pieces of so many bytes."""
    audio = np.repeat(audio[:, None], channels, axis=1)
    if width == 1:
        data = np.rint(audio * 127 + 128).astype(np.uint8).tobytes()
    else:
        data = np.rint(audio * (2 ** 31 - 128)).astype("<i4").reshape(-1, 1).view(np.uint8)[:, 4 - width:].tobytes()
    pieces = [data[first:first + size] for first in range(0, len(data), size)]
    return [AudioStart(rate, width, channels),
            *(AudioChunk(rate, width, channels, piece, timestamp=number) for number, piece in enumerate(pieces)),
            AudioStop()]


def test_what_is_offered():
    (answers,) = talk(voice(wake_words=["no"]), [Describe()], until=("info",))
    info = Info.from_event(answers[0])
    assert [model.name for model in info.wake[0].models] == ["no"] and info.asr[0].models[0].languages == ["en"]
    assert info.intent[0].models[0].name == "moves" and not info.asr[0].supports_transcript_streaming
    assert all(program.installed and program.attribution.name for program in info.asr + info.wake + info.intent)
    info = voice(grammar=False).info()
    assert not info.intent and [model.name for model in info.wake[0].models] == ["yes", "no"]
    with pytest.raises(ValueError, match="doesn't know the wake word 'maybe'; it knows: yes, no"):
        voice(wake_words=["maybe"])


def test_many_clients_at_once_get_their_own_transcripts():
    order = [0, 1, 2, 3, 2, 1, 0, 3]
    requests = [[Transcribe(language="en"), *chunks(sound(number), size=997 + number)] for number in order]
    answers = talk(voice(), *requests, until=("transcript",))
    # "go up" and "yes" are no commands, and written as they were heard.
    assert [Transcript.from_event(told[-1]).text for told in answers] == [TEXTS[number] for number in order]


def test_what_is_no_command_is_written_by_the_decoder():
    words = LexiconSearch(FakeModel.spec, {"go": [["G", "OW"]], "up": [["AH", "P"]]})  # its phones always say "go up"
    assert [voice(decoder=words).transcribe(sound(number)) for number in (1, 3)] == ["stop", "go up"]
    assert voice(grammar=False, decoder=words).transcribe(sound(1)) == "go up"


def test_without_a_word_there_is_an_empty_transcript():
    (answers,) = talk(voice(), [Transcribe(), AudioStart(16000, 2, 1), AudioStop()], until=("transcript",))
    assert Transcript.from_event(answers[0]).text == ""


@pytest.mark.parametrize("rate, width, channels", [(8000, 1, 1), (16000, 2, 2), (22050, 3, 2), (48000, 4, 1), (44100, 2, 3)])
def test_audio_of_any_format_cut_anywhere(rate, width, channels):
    audio = tone(0.5, 300, rate)
    events = chunks(audio, rate, width, channels, size=1001)
    pcm = PcmStream(rate, width, channels, 16000)
    heard = np.concatenate([*(pcm.feed(event.audio) for event in events[1:-1]), pcm.feed(b"", last=True)])
    assert heard.dtype == np.float32 and abs(len(heard) - 8000) <= 1
    steady = slice(400, 7600)  # a resampler rings where the tone is cut off
    np.testing.assert_allclose(heard[steady], tone(0.5, 300)[steady], atol=0.01 if width == 1 else 1e-3)


def test_wake_words():
    audio = np.concatenate([silence(1), sound(1), silence(1.5), sound(0, 0.6), silence(1)])
    requests = [[Detect(), *chunks(audio), Ping()], [Detect(["yes"]), *chunks(audio), Ping()],
                [Detect(["yes"]), *chunks(audio[:48000]), Ping()]]
    both, one, none = (told[:-1] for told in talk(voice(), *requests, until=("pong",)))
    assert [Detection.from_event(event).name for event in both] == ["no", "yes"]
    assert [Detection.from_event(event).name for event in one] == ["yes"]
    assert Detection.from_event(one[0]).timestamp * 1500 / 16000 == pytest.approx(4.2, abs=0.6)
    assert [event.type for event in none] == ["not-detected"]
    with pytest.raises(ValueError, match=r"no such wake words: \['up'\]; there are: yes, no"):
        WakeWordDetection(voice(), ["up"])



def test_intents_of_texts_as_home_assistant_asks_for_them():
    asked = [[Transcript("Go left, now!")], [Recognize("go left now", {"conversation_id": "7"})], [Recognize("go up")]]
    left, same, none = (answers[0] for answers in talk(voice(), *asked, until=("intent", "not-recognized")))
    for answer in (left, same):
        intent = Intent.from_event(answer)
        assert (intent.name, [(entity.name, entity.value) for entity in intent.entities]) == ("turn", [("way", "left")])
    assert same.data["context"] == {"conversation_id": "7"} and none.type == "not-recognized"
    assert talk(voice(grammar=False), [Recognize("go left now")], until=("not-recognized",))[0]


BAD = {
    "no Wyoming event": [b"GET / HTTP/1.1\r\n\r\n", b"[1]\n", b"{}\n", b"[" * 60000 + b"\n", b"x" * 100_000 + b"\n",
                         b'{"type": "audio-chunk", "payload_length": 99999999999}\n',
                         b'{"type": "audio-chunk", "data_length": 3}\n[1]', b'{"type": "ping", "data_length": "3"}\n'],
    "without what belongs to it": [b'{"type": "audio-chunk", "data": {"rate": 16000}}\n', b'{"type": "recognize"}\n',
                                   b'{"type": "detect", "data": [1]}\n'],
    "can be converted": [b'{"type": "audio-chunk", "data": {"rate": 0, "width": 2, "channels": 1}}\n',
                         b'{"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": "two"}}\n'],
    "no such wake words": [b'{"type": "detect", "data": {"names": ["up"]}}\n', b'{"type": "detect", "data": {"names": 5}}\n'],
    "left in the middle": [b'{"type": "audio-chunk", "payload_length": 1000}\nabc'],
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_client_costs_one_line_and_nobody_else_notices(reason, caplog):
    async def scenario():
        async with running(voice()) as uri:
            async with AsyncClient.from_uri(uri, read_timeout=60) as patient:  # in the middle of an utterance
                request = [Transcribe(), *chunks(sound(2))]
                for event in request[:4]:
                    await patient.write_event(event.event())
                for sent in BAD[reason]:
                    reader, writer = await asyncio.open_connection("127.0.0.1", int(uri.rpartition(":")[2]))
                    writer.write(sent)
                    if reason == "left in the middle":
                        writer.close()
                    told = await reader.read() if reason != "left in the middle" else b"error"
                    assert b"error" in told
                    writer.close()
                for event in request[4:]:
                    await patient.write_event(event.event())
                assert Transcript.from_event(await patient.read_event()).text == "go left now"
            left = AsyncClient.from_uri(uri)  # leaves between two chunks, which is nothing to complain of
            await left.connect()
            for event in request[:3]:
                await left.write_event(event.event())
            await left.disconnect()
            await asyncio.sleep(0.1)

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    ours = [record.getMessage() for record in caplog.records]
    assert len(ours) == len(BAD[reason]) and all(reason in line and "\n" not in line for line in ours), ours
    assert not any(record.exc_info for record in caplog.records)


def test_what_a_model_cannot_do(caplog):
    class Keywords(FakeModel):
        spec = {**FakeModel.spec, "heads": {"keyword": FakeModel.spec["heads"]["keyword"]}}

    only_wakes = Voice(Keywords())
    assert not only_wakes.info().asr
    (answers,) = talk(only_wakes, [Transcribe()], until=("error",))
    assert "writes nothing" in Error.from_event(answers[0]).text
    transcription = Transcription(voice())
    with pytest.raises(ValueError, match="more than 120 s of audio in one request"):
        for _ in range(5):
            transcription.feed(np.zeros(16000 * 25, np.float32))


def test_words_are_told_while_they_are_spoken():
    model = FakeStreamModel()
    audio = np.concatenate([model.silence(1), model.audio("go on now"), model.silence(2), model.audio("stop"),
                            model.silence(0.2)])
    transcription, told = Transcription(Voice(model)), []
    for first in range(0, len(audio), 3):
        told += transcription.feed(audio[first:first + 3])
    early = [event.data["text"] for event in told if event.type == "transcript-chunk"]
    assert [event.type for event in told[:2]] == ["transcript-start", "transcript-chunk"] and early[0] == "go"
    told += transcription.finish()
    assert [event.type for event in told[-2:]] == ["transcript", "transcript-stop"]
    assert told[-2].data["text"] == "go on now stop"
    assert "".join(event.data["text"] for event in told if event.type == "transcript-chunk") == "go on now stop"
    assert [event.type for event in Transcription(Voice(model)).finish()] == ["transcript-start", "transcript",
                                                                              "transcript-stop"]
    assert Voice(model).info().asr[0].supports_transcript_streaming


def test_wake_words_of_a_model_that_streams():
    model = FakeStreamModel()
    detection = WakeWordDetection(Voice(model, threshold=0.9))
    audio = np.concatenate([model.silence(1), model.keyword(0.6), model.silence(2), model.keyword(0.6), model.silence(1)])
    told = [event for first in range(0, len(audio), 4) for event in detection.feed(audio[first:first + 4], first)]
    assert [Detection.from_event(event).name for event in told] == ["yes", "yes"] and not detection.finish()


def test_detections_have_times_where_the_client_gives_none():
    model = FakeStreamModel()
    rate = model.spec["sample_rate"]
    audio = np.concatenate([model.silence(1), model.keyword(0.6), model.silence(2), model.keyword(0.6), model.silence(1)])
    times = []
    for stamp in (lambda first: None, lambda first: round(1000 * first / rate)):
        detection = WakeWordDetection(Voice(model, threshold=0.9))
        told = [event for first in range(0, len(audio), 4)
                for event in detection.feed(audio[first:first + 4], stamp(first))]
        times.append([Detection.from_event(event).timestamp for event in told])
    assert times[0] == times[1] and len(times[0]) == 2 and 0 < times[0][0] < times[0][1] < 1000 * len(audio) / rate


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_tflite(tmp_path_factory).path


def test_the_command_serves_a_file_without_tensorflow_until_it_is_told_to_stop(path, tmp_path):
    uri = f"tcp://127.0.0.1:{free_port()}"
    model = EdgeModel(path)
    CommandDecoder(Grammar("halt", {"halt": Words("a")}), model.spec, lexicon={"a": [["AH"]]}).compiled.save(tmp_path / "halt.npz")
    code = BLOCKER + f"from speechzoo.cli import main\nmain({['wyoming', str(path), '--uri', uri]!r} + sys.argv[1:])"
    audio = np.round(tone(0.7, 300, seed=1) * 32768) / 32768

    async def scenario():
        await connected(uri)
        info = await ask(uri, Describe(), until=("info",))
        said = await ask(uri, Transcribe(), *chunks(audio), until=("transcript", "error"))
        return Info.from_event(info[0]), Transcript.from_event(said[0]).text

    with subprocess.Popen([sys.executable, "-c", code, "--grammar", tmp_path / "halt.npz"], stderr=subprocess.PIPE,
                          text=True) as child:
        try:
            info, text = asyncio.run(scenario())
        finally:
            child.send_signal(signal.SIGTERM)
        errors = child.stderr.read()
    assert child.returncode == 0 and f"speechzoo: {path} on {uri}" in errors and "Traceback" not in errors
    assert [model.name for model in info.wake[0].models] == ["yes", "no"] and info.intent[0].models[0].name == "halt"
    assert text == model.recognize(audio).transcript


@pytest.mark.parametrize("options, message", [
    (["--uri", "http://localhost"], "Only 'stdio://', 'unix://', or 'tcp://' are supported"),
    (["--uri", "tcp://localhost"], "A port must be specified"),
    (["--wake-word", "maybe"], "doesn't know the wake word 'maybe'"),
    (["--threads", "0"], "threads must be 1 or more"),
])
def test_options_that_cannot_be_used(path, options, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["wyoming", str(path), *options])
    error = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 2 and message in error


def test_an_address_in_use_and_a_missing_package(path, capsys, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as ended:
        main(["wyoming", str(path), "--uri", f"tcp://127.0.0.1:{taken.getsockname()[1]}"])
    assert ended.value.code == 2 and "address already in use" in capsys.readouterr().err
    for name in ("speechzoo.wyoming.server", "speechzoo.wyoming.voice"):
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.split(".")[0] == "wyoming"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit) as ended:
        main(["wyoming", str(path)])
    assert ended.value.code == 2 and "pip install wyoming" in capsys.readouterr().err
