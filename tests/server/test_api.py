"""What OpenAI's client doesn't ask: our own paths, the description of all of them, and what is no proper request."""

import socket
import time

import pytest

pytest.importorskip("fastapi", reason="the extra [server] is not installed")
schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

import requests
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from speechzoo.server import admission
from speechzoo.server.limits import Limits
from tests.fake_model import TEXTS, FakeModel
from tests.helpers import encoded
from tests.listening.test_listener import sound
from tests.server.running import running


@pytest.fixture(scope="module")
def address():
    limits = Limits(upload_bytes=2_000_000, seconds=61, request_seconds=30)
    with running({"fake": FakeModel(), "other": FakeModel()}, limits, origins=["https://friend.example"]) as (address, _):
        yield address


@pytest.fixture(scope="module")
def url(address):
    return f"http://{address}"


def flac(number=0):
    return encoded(sound(number), "FLAC")


def test_every_head_answers(url):
    expected = FakeModel().recognize(flac(2)).to_dict()
    for model in (None, "other"):
        answer = requests.post(f"{url}/v1/recognize", {"model": model} if model else {}, files={"file": flac(2)})
        assert answer.json() == {"model": model or "fake", "duration": 1.0, **expected}
    some = requests.post(f"{url}/v1/recognize", {"heads": ["keyword", "event"]}, files={"file": flac(2)}).json()
    assert set(some) == {"model", "duration", "keyword", "event", "confidence"}
    long = encoded(sound(1, 50), "FLAC")  # in pieces, joined
    joined = requests.post(f"{url}/v1/recognize", files={"file": long}).json()
    assert joined == {"model": "fake", "duration": 50.0, **FakeModel().recognize(long, maximum_seconds=30).to_dict()}


def test_grammars_have_names_and_no_paths(url, tmp_path):
    def ask(grammar):
        return requests.post(f"{url}/v1/recognize", {"grammar": grammar}, files={"file": flac(1)})

    (tmp_path / "lamp.yaml").write_text("intents: {halt: {sentences: [stop]}}\n")
    for path in (tmp_path / "lamp.yaml", "../lamp.yaml", "lamp", "smart_speaker.yaml"):
        refused = ask(str(path))
        assert refused.status_code == 400 and "no grammar" in refused.json()["error"]["message"]
    with running({"fake": FakeModel()}, grammars={"lamp": tmp_path / "lamp.yaml"}) as (other, _):
        answer = requests.post(f"http://{other}/v1/recognize", {"grammar": "lamp"}, files={"file": flac(1)}).json()
        assert {"lamp", "smart_speaker"} <= {each["id"] for each in
                                             requests.get(f"http://{other}/v1/grammars").json()["data"]}
    assert (answer["intent"], answer["sentence"]) == ("halt", "stop")


def test_counters(url):
    def read():
        lines = requests.get(f"{url}/metrics").text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    before = read()
    requests.post(f"{url}/v1/recognize", files={"file": flac()})
    requests.post(f"{url}/v1/recognize", files={"file": b"nothing"})
    requests.get(f"{url}/never/heard/of")
    after = read()

    def more(name):
        return after[name] - before.get(name, 0)

    assert more('speechzoo_requests_total{path="/v1/recognize",status="200"}') == 1
    assert more('speechzoo_requests_total{path="/v1/recognize",status="400"}') == 1
    assert more('speechzoo_requests_total{path="other",status="404"}') == 1
    assert more('speechzoo_audio_seconds_total{model="fake"}') == 1 == more('speechzoo_batch_size_sum{model="fake"}')
    assert after["process_resident_memory_bytes"] > 1e6 and after["speechzoo_requests_inside"] == 0


def test_the_page_needs_no_internet(url):
    page = requests.get(f"{url}/docs").text
    assert "https://" not in page.replace(url, "")
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/docs/static/{name}" in page and requests.get(f"{url}/docs/static/{name}").ok
    assert requests.get(f"{url}/health").json() == {"status": "ok", "models": ["fake", "other"]}


def test_other_pages_may_not_ask(url):
    for origin, allowed in (("https://friend.example", True), ("https://evil.example", False)):
        answer = requests.get(f"{url}/v1/models", headers={"Origin": origin})
        assert (answer.headers.get("access-control-allow-origin") == origin) == allowed
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST",
                 "Access-Control-Request-Headers": "authorization"}
        assert requests.options(f"{url}/v1/recognize", headers=asked).ok == allowed
    # A name that somebody else has pointed at this machine.
    assert requests.get(f"{url}/v1/models", headers={"Host": "evil.example"}).status_code == 421
    assert requests.get(f"{url}/v1/models", headers={"Host": "localhost:80"}).ok
    with running({"fake": FakeModel()}) as (alone, _):
        answer = requests.get(f"http://{alone}/v1/models", headers={"Origin": "https://friend.example"})
        assert answer.ok and not [name for name in answer.headers if name.lower().startswith("access-control")]


def raw(address, *parts, pause=0.0):
    """The answer to bytes that are no proper request."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        answer = b""
        while data := connection.recv(65536):
            answer += data
            if answer.count(b"}}"):
                break
        return answer.decode()


HEAD = (b"POST /v1/recognize HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n")


def test_sizes_and_times_of_uploads(address, monkeypatch):
    # Before anything was sent; what came then would be taken for its body.
    refused = raw(address, HEAD.replace(b"Connection: close\r\n", b"") + b"Content-Length: 999999999999\r\n\r\n")
    assert " 413 " in refused and "\r\nconnection: close\r\n" in refused
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    begin = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    begin = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n" % (len(begin), begin)
    assert " 413 " in raw(address, begin, *[chunk] * 40, b"0\r\n\r\n")  # read on to its end, or nobody saw it
    assert " 400 " in raw(address, HEAD + b"Content-Length: 1000000\r\n\r\n", *[bytes(10_000)] * 100)
    with running({"fake": FakeModel()}, Limits(request_seconds=0.3)) as (hasty, _):
        assert " 408 " in raw(hasty, HEAD + b"Content-Length: 1000\r\n\r\n", b"--x\r\n")
    monkeypatch.setattr(admission, "UPLOAD_IDLE_SECONDS", 0.2)
    assert "nothing of the request came for 0.2 s" in raw(address, HEAD + b"Content-Length: 1000\r\n\r\n", b"--x\r\n")
    assert " 400 " in raw(address, HEAD + b"Content-Length: 5\r\n\r\n", b"--y--")
    assert " 400 " in raw(address, b"GET\r\n\r\n")
    assert requests.get(f"http://{address}/health").ok


def test_a_fault_of_a_model_is_the_servers(tmp_path):
    class Broken(FakeModel):
        def batch_outputs(self, audios, heads=None):
            if len(audios) and audios[0].max() > 0.7:
                raise RuntimeError("secret")
            return super().batch_outputs(audios, heads)

    with running({"fake": Broken()}) as (address, _):
        answer = requests.post(f"http://{address}/v1/recognize", files={"file": flac(3)})
        assert answer.status_code == 500 and "secret" not in answer.text and answer.json()["error"]["type"] == "server_error"
        assert requests.post(f"http://{address}/v1/recognize", files={"file": flac(1)}).json()["transcript"] == TEXTS[1]


def test_the_description_holds(url):
    """schemathesis makes requests of the description, proper ones and others, and looks at the answers."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert {operation.path for operation in operations} >= {"/v1/audio/transcriptions", "/v1/recognize", "/v1/models"}
    statuses = set()
    for operation in operations:
        @given(case=operation.as_strategy())
        @settings(max_examples=3, deadline=None, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))
        def check(case):
            for sensible in (False, True):
                if sensible and isinstance(case.body, dict):  # else nearly all are refused for what they upload
                    case.body.update(file=flac(), model="fake")
                    case.body.pop("grammar", None)
                answer = case.call()
                statuses.add((operation.method, answer.status_code))
                case.validate_response(answer, excluded_checks=[positive_data_acceptance])  # nobody guesses a model
        check()
    assert {("post", 200), ("post", 400), ("post", 404), ("get", 200), ("get", 404)} <= statuses
