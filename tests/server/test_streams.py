"""Streams over a WebSocket, and the command that serves them."""

import contextlib
import gzip
import json
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra [server] is not installed")

import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from speechzoo.audio import load_audio
from speechzoo.edge.edge_model import EdgeModel
from speechzoo.listening.listener import Listener
from speechzoo.listening.stream_listener import StreamListener
from speechzoo.server.limits import Limits
from tests.fake_model import FakeModel
from tests.helpers import encoded
from tests.listening.test_listener import silence, sound
from tests.server.running import command, running


FIXTURES = Path(__file__).parents[1] / "compatibility" / "fixtures"
SENTENCE = Path(__file__).parents[2] / "examples" / "sentence.flac"


def pcm(audio):
    return np.rint(np.asarray(audio) * 32767).astype("<i2").tobytes()


def talk(address, audio, query="", block=3001, **options):
    """The events of a stream of 16-bit samples that is cut anywhere, and how it was closed."""
    events = []
    with connect(f"ws://{address}/v1/stream{query}", **options) as socket:
        with contextlib.suppress(ConnectionClosed):  # what was said before is read below
            for first in range(0, len(audio), block):
                socket.send(audio[first:first + block])
            socket.send(json.dumps({"type": "finish"}))
        try:
            while True:
                events.append(json.loads(socket.recv(timeout=60)))
        except ConnectionClosed as closed:
            return events, closed.rcvd.code


@pytest.fixture(scope="module")
def address():
    with running({"fake": FakeModel()}, Limits(seconds=20, streams=2), origins=["https://friend.example"]) as (address, _):
        yield address


AUDIO = np.concatenate([silence(1), sound(0), silence(1.5), sound(3), silence(1)])


def test_utterances_of_a_model_that_hears_them_whole(address):
    listener = Listener(FakeModel())
    samples = np.frombuffer(pcm(AUDIO), "<i2").astype(np.float32) / 32768
    expected = [event.to_dict() for event in [*listener.feed(samples), *listener.finish()]]
    assert [event["transcript"] for event in expected] == ["go up", "yes"]
    assert talk(address, pcm(AUDIO)) == (expected, 1000)
    # At another rate: nearly the same times.
    events, code = talk(address, pcm(np.repeat(AUDIO, 2)), "?sample_rate=32000&model=fake")
    assert [event["transcript"] for event in events] == ["go up", "yes"] and code == 1000


@pytest.mark.parametrize("query, message, status", [
    ("?model=other", "no model 'other'; known: fake", 1008),
    ("?grammar=/etc/passwd", "no grammar '/etc/passwd'", 1008),
    ("?wake_word=maybe", "doesn't know the wake word 'maybe'", 1008),
    ("?partials=true", "utterances are recognised whole", 1008),
    ("?sample_rate=1", "audio of 1 Hz", 1008),
])
def test_what_a_stream_can_not_have(address, query, message, status):
    (answer,), code = talk(address, b"", query)
    assert message in answer["error"]["message"] and code == status


def test_streams_are_limited(address):
    (*_, answer), code = talk(address, pcm(silence(21)), block=64000)
    assert "longer than 20 s" in answer["error"]["message"] and code == 1008
    with connect(f"ws://{address}/v1/stream") as socket:
        socket.send("finish!")
        assert "binary messages" in json.loads(socket.recv(timeout=60))["error"]["message"]
    with connect(f"ws://{address}/v1/stream"), connect(f"ws://{address}/v1/stream"):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://{address}/v1/stream")
        assert refused.value.response.status_code == 429
        assert b"too many streams" in refused.value.response.body


def test_pages_of_others_open_no_streams(address):
    for origin in (f"http://{address}", "https://friend.example"):
        assert talk(address, b"", additional_headers={"Origin": origin}) == ([], 1000)
    for origin in ("https://evil.example", "null", f"https://{address}.evil.example"):
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://{address}/v1/stream", additional_headers={"Origin": origin})
        assert refused.value.response.status_code == 403


def test_the_command_serves_a_file_and_finishes_what_runs(tmp_path):
    path = tmp_path / "tiny_streaming.tflite"
    path.write_bytes(gzip.decompress((FIXTURES / "tiny_streaming.tflite.gz").read_bytes()))
    (tmp_path / "keys.txt").write_text("secret\n")
    (tmp_path / "lamp.yaml").write_text("intents: {light: {sentences: [turn on the light]}}\n")
    audio = load_audio(SENTENCE)
    with command(f"ears={path}", "--keys", str(tmp_path / "keys.txt"), "--batch", "1",
                 "--grammar", f"lamp={tmp_path / 'lamp.yaml'}") as (address, process):
        headers = {"Authorization": "Bearer secret"}
        url = f"http://{address}/v1/recognize"
        assert requests.post(url, files={"file": b""}).status_code == 401
        assert requests.get(f"http://{address}/v1/grammars", headers=headers).json()["data"][1]["id"] == "lamp"
        with SENTENCE.open("rb") as file:
            answer = requests.post(url, {"grammar": "lamp"}, headers=headers, files={"file": file}).json()
        model = EdgeModel(path)
        expected = model.recognize(SENTENCE, grammar=tmp_path / "lamp.yaml").to_dict()
        assert answer == {"model": "ears", "duration": round(len(audio) / 16000, 3), **expected}

        samples = np.frombuffer(pcm(audio), "<i2").astype(np.float32) / 32768
        listener = StreamListener(model, partials=True)
        expected = [event.to_dict() for event in [*listener.feed(samples), *listener.finish()]]
        events, code = talk(address, pcm(audio), "?partials=true", additional_headers=headers)
        assert events == expected and {event["kind"] for event in events} >= {"partial", "utterance"} and code == 1000
        with pytest.raises(InvalidStatus):
            talk(address, b"")

        answers = []
        threads = [threading.Thread(target=lambda: answers.append(requests.post(
            url, headers=headers, files={"file": encoded(np.tile(audio, 20), "FLAC")}))) for _ in range(3)]
        for thread in threads:
            thread.start()
        while requests.get(f"http://{address}/metrics", headers=headers).text.count("requests_inside 3.0") == 0:
            assert all(answer.ok for answer in answers) and len(answers) < 3
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in answers] == [200] * 3
        assert answers[0].json() == answers[1].json() and answers[0].json()["duration"] > 50
        assert process.wait(60) in (0, -signal.SIGTERM)
