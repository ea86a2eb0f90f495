"""The client, and the wire formats of TensorFlow Serving, against a stand-in server on loopback."""

import base64
import shutil
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

requests = pytest.importorskip("requests")
pytest.importorskip("tensorflow_serving")
grpc = pytest.importorskip("grpc")

import tensorflow as tf  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from speechzoo.audio import AudioError  # noqa: E402
from speechzoo.serving import Client, ModelNotFoundError, ServingError  # noqa: E402
from speechzoo.serving.signatures import output_names, raw_output_names  # noqa: E402
from tests.helpers import encoded, tone, write_wav  # noqa: E402
from tests.serving.stand_in import StandIn  # noqa: E402
from tests.serving.tiny import exported, serving  # noqa: E402
from tests.tiny_models import tiny_model  # noqa: E402

SOUNDS = [tone(0.02, seed=1), tone(0.7, 300, seed=2), tone(1.3, 900, seed=3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return exported(tmp_path_factory)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    return serving(tmp_path_factory)


@pytest.fixture(params=["rest", "grpc"])
def client(server, request):
    with Client(getattr(server, f"{request.param}_url"), "tiny", request.param) as client:
        yield client


def assert_same(got, expected):
    """Two Recognitions, their numbers within what two runs of one network differ by."""
    def plain(recognition):
        values = recognition.to_dict()
        return {key: value for key, value in values.items()
                if key not in ("confidence", "slot_confidence", "speaker", "words", "phone_times")}

    assert plain(got) == plain(expected)
    np.testing.assert_allclose(got.speaker, expected.speaker, atol=1e-5)
    assert got.confidence == pytest.approx(expected.confidence, abs=1e-5)
    assert got.slot_confidence == pytest.approx(expected.slot_confidence, abs=1e-5)
    for ours, theirs in zip(got.words + got.phone_times, expected.words + expected.phone_times, strict=True):
        assert (ours.text, ours.start, ours.end) == (theirs.text, theirs.start, theirs.end)


def test_same_recognition_as_the_model_here(client, tmp_path):
    path = write_wav(tmp_path / "order.wav", SOUNDS[1], 44100)
    quiet = SOUNDS[2] / 3  # not whole 16-bit steps
    for audio in [*SOUNDS, quiet, path, str(path), encoded(SOUNDS[2], "FLAC"), np.stack([quiet, quiet / 2], axis=1)]:
        assert_same(client.recognize(audio), tiny_model().recognize(audio))
    assert_same(client.recognize(SOUNDS[1], sample_rate=8000), tiny_model().recognize(SOUNDS[1], sample_rate=8000))


def test_a_batch_of_unequal_lengths(client):
    for got, sound in zip(client.recognize_batch(SOUNDS), SOUNDS, strict=True):
        assert_same(got, tiny_model().recognize(sound))
    assert client.recognize_batch([]) == []


def test_some_heads(client):
    answer = client.recognize(SOUNDS[1], heads=["keyword"])
    expected = tiny_model().recognize(SOUNDS[1], heads=["keyword"])
    assert (answer.keyword, answer.transcript, answer.speaker) == (expected.keyword, None, None)
    assert answer.confidence == pytest.approx(expected.confidence, abs=1e-5)
    with pytest.raises(ValueError, match="no head 'wake'; it has: transcript, letters"):
        client.recognize(SOUNDS[1], heads=["wake"])


def test_spec_and_status_come_from_the_server(client):
    assert client.spec == tiny_model().spec
    assert client.version == 1
    assert client.status() == {1: "AVAILABLE"}


def test_16_bit_recordings_travel_as_wav_over_rest(server):
    with Client(server.rest_url, "tiny") as client:
        client.spec
        del server.requests[:]
        client.recognize(encoded(SOUNDS[1]))
        client.recognize(SOUNDS[1] / 3)
        assert server.requests == [("rest", "serving_bytes"), ("rest", "serving_default")]


def test_bad_audio_never_leaves(client, server, tmp_path):
    client.spec
    before = len(server.requests)
    with pytest.raises(AudioError, match="nothing.wav: no such file"):
        client.recognize(tmp_path / "nothing.wav")
    with pytest.raises(AudioError, match="holds no samples"):
        client.recognize(np.zeros(0, np.float32))
    assert len(server.requests) == before


def test_model_that_is_not_served(server):
    for url, protocol in ((server.rest_url, "rest"), (server.grpc_url, "grpc")):
        with Client(url, "large", protocol) as client:
            with pytest.raises(ModelNotFoundError, match="doesn't serve model 'large'.*large"):
                client.recognize(SOUNDS[0])
        with Client(url, "tiny", protocol, version=5) as client:
            with pytest.raises(ModelNotFoundError, match=r"Specific\(tiny, 5\)"):
                client.recognize(SOUNDS[0])


def test_nobody_there():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        address = f"127.0.0.1:{held.getsockname()[1]}"
        with Client(f"http://{address}", "tiny", timeout=5) as client:
            with pytest.raises(ConnectionError, match=f"no model server at http://{address} .*8501 by default"):
                client.recognize(SOUNDS[0])
        with Client(address, "tiny", "grpc", timeout=5) as client:
            with pytest.raises(ConnectionError, match=f"no model server at {address} .*8500 by default"):
                client.recognize(SOUNDS[0])


def test_no_answer_in_time():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # accepts, and says nothing
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        for url, protocol in ((f"http://{address}", "rest"), (address, "grpc")):
            with Client(url, "tiny", protocol, timeout=0.2) as client:
                # Until the deadline gRPC may still be connecting, and then says so.
                with pytest.raises((TimeoutError, ConnectionError), match="within 0.2 s|no model server"):
                    client.recognize(SOUNDS[0])


def test_a_refusal_is_one_line(server):
    """What the graph asserts arrives in one readable line, whatever the protocol."""
    for url, protocol in ((server.rest_url, "rest"), (server.grpc_url, "grpc")):
        with Client(url, "tiny", protocol) as client:
            wav = np.array([encoded(tone(0.1), sample_rate=8000)], object)
            with pytest.raises(ServingError) as error:
                client._transport.predict(1, "serving_bytes", {"audio_bytes": wav}, ["keyword"])
            assert str(error.value) == (
                f"model 'tiny' at {url} refused the request: assertion failed: [the WAV must have 16000 Hz, "
                "resample it before sending; it has Hz:] [8000]")
            with pytest.raises(ServingError, match="signature"):
                client._transport.predict(1, "wake", {"audio_bytes": wav}, ["keyword"])


def test_wrong_addresses_and_protocols():
    with pytest.raises(ValueError, match="unknown protocol 'soap'; use one of: rest, grpc"):
        Client("http://localhost:8501", "tiny", "soap")
    with pytest.raises(ValueError, match="'localhost:8501' is not an http address"):
        Client("localhost:8501", "tiny")
    with pytest.raises(ValueError, match="'http://localhost:8500' is not a gRPC address"):
        Client("http://localhost:8500", "tiny", "grpc")


@pytest.mark.parametrize("protocol, module, url", [
    ("rest", "requests", "http://localhost:1"), ("grpc", "grpc", "localhost:1")])
def test_missing_packages_are_named(monkeypatch, protocol, module, url):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'speechzoo\[serving\]'"):
        Client(url, "tiny", protocol)


def test_rest_client_needs_no_tensorflow():
    code = ("import sys; from speechzoo.serving import Client; Client('http://localhost:1', 'tiny'); "
            "assert not {'tensorflow', 'keras', 'grpc'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_client_moves_to_the_new_version(folder, tmp_path):
    """When the server retires a version, the client reads the spec of the next before it reads its logits."""
    shutil.copytree(folder, tmp_path / "tiny")
    with StandIn({"tiny": tmp_path / "tiny"}, warm_up=False) as server, Client(server.rest_url, "tiny") as client:
        client.recognize(SOUNDS[0])
        assert client.version == 1
        shutil.copytree(tmp_path / "tiny" / "1", tmp_path / "tiny" / "2")
        server.reload()
        with Client(server.rest_url, "tiny", version=1) as fixed, pytest.raises(ModelNotFoundError):
            fixed.recognize(SOUNDS[0])
        assert_same(client.recognize(SOUNDS[0]), tiny_model().recognize(SOUNDS[0]))
        assert client.version == 2


def test_requests_that_the_server_merges(folder):
    """Batching in the server: clients with unequal lengths at the same moment each get their own answer."""
    audios = [sound / 3 for sound in SOUNDS]  # over `serving_default`, which the server has to pad
    answers = {}
    with StandIn({"tiny": folder}, merge=len(audios), warm_up=False) as server:
        def ask(protocol, row):
            with Client(getattr(server, f"{protocol}_url"), "tiny", protocol) as client:
                answers[protocol, row] = client.recognize(audios[row])

        for protocol in ("rest", "grpc"):
            threads = [threading.Thread(target=ask, args=(protocol, row)) for row in range(len(audios))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert len(answers) == 2 * len(audios)
    for (_, row), answer in answers.items():
        assert_same(answer, tiny_model().recognize(audios[row]))


def test_warmup_requests_are_replayed(server):
    assert server.warmed["tiny"] == 7


# -- the wire itself, as somebody without the client sees it ---------------------------------------------------------

def post(server, body, expect=200, path="tiny:predict"):
    response = requests.post(f"{server.rest_url}/v1/models/{path}", json=body, timeout=30)
    assert response.status_code == expect, response.text
    return response.json()


def test_rest_rows(server):
    files = [encoded(sound) for sound in SOUNDS]
    rows = post(server, {"signature_name": "serving_bytes", "instances": [
        {"b64": base64.b64encode(file).decode()} for file in files]})["predictions"]
    named = post(server, {"signature_name": "serving_bytes", "instances": [
        {"audio_bytes": {"b64": base64.b64encode(file).decode()}} for file in files]})["predictions"]
    assert rows == named
    for row, file in zip(rows, files, strict=True):
        assert sorted(row) == output_names(tiny_model().spec)
        local = tiny_model().recognize(file)
        assert (row["transcript"], row["phones"], row["keyword"]) == (local.transcript, local.phones, local.keyword)
        assert row["slots_drink"] == local.slots.get("drink", "")  # UTF-8, not base64
        assert row["keyword_score"] == pytest.approx(local.confidence["keyword"], abs=1e-5)
        np.testing.assert_allclose(row["speaker"], local.speaker, atol=1e-5)


def test_rest_columns(server):
    audio = SOUNDS[1]
    columns = post(server, {"inputs": {"audio": [audio.tolist()], "audio_length": [len(audio)]}})["outputs"]
    rows = post(server, {"instances": [{"audio": audio.tolist(), "audio_length": len(audio)}]})["predictions"]
    assert {name: value[0] for name, value in columns.items()} == rows[0]
    local = tiny_model().batch_outputs([audio])[0]
    for head, name in raw_output_names(tiny_model().spec).items():
        np.testing.assert_allclose(columns[name][0], local[head], atol=1e-4)


def test_rest_spec(server):
    for body, key in (({"instances": [""]}, "predictions"), ({"inputs": [""]}, "outputs")):
        assert '"sample_rate": 16000' in post(server, {"signature_name": "spec", **body})[key][0]


def test_rest_refusals(server):
    assert "Servable not found for request: Latest(large)" in post(server, {}, 404, "large:predict")["error"]
    assert "keys must be equal to: audio,audio_length" in post(server, {"instances": [{"audio": [0.0]}]}, 400)["error"]
    assert "Missing named input: audio_length" in post(server, {"inputs": {"audio": [[0.0]]}}, 400)["error"]
    unequal = {"inputs": {"audio": [[0.0, 0.0], [0.0]], "audio_length": [2, 1]}}
    assert "unexpected size" in post(server, unequal, 400)["error"]
    too_large = {"inputs": {"audio": [[1e39]], "audio_length": [1]}}
    assert "without loss of precision" in post(server, too_large, 400)["error"]
    not_a_number = requests.post(f"{server.rest_url}/v1/models/tiny:predict", timeout=30,
                                 data='{"inputs": {"audio": [[NaN]], "audio_length": [1]}}')
    assert not_a_number.status_code == 400 and "NaN or infinite" in not_a_number.json()["error"]


def test_rest_metadata_and_status(server):
    metadata = requests.get(f"{server.rest_url}/v1/models/tiny/metadata", timeout=30).json()
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert metadata["model_spec"]["version"] == "1"
    assert signature["inputs"]["audio"]["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in signature["inputs"]["audio"]["tensor_shape"]["dim"]] == ["-1", "-1"]
    assert signature["outputs"]["keyword"]["dtype"] == "DT_STRING"
    status = requests.get(f"{server.rest_url}/v1/models/tiny", timeout=30).json()
    assert status["model_version_status"][0]["state"] == "AVAILABLE"


def test_grpc_predict_and_metadata(server):
    with grpc.insecure_channel(server.grpc_url) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_pb2.PredictRequest(output_filter=["keyword", "speaker"])
        request.model_spec.name = "tiny"
        request.model_spec.signature_name = "serving_bytes"
        files = np.empty(2, object)
        files[:] = [encoded(sound) for sound in SOUNDS[1:]]
        request.inputs["audio_bytes"].CopyFrom(tf.make_tensor_proto(files))
        response = stub.Predict(request, timeout=30)
        assert set(response.outputs) == {"keyword", "speaker"}
        assert response.model_spec.version.value == 1
        for text, sound in zip(tf.make_ndarray(response.outputs["keyword"]), SOUNDS[1:], strict=True):
            assert text.decode() == tiny_model().recognize(sound).keyword
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = "tiny"
        signatures = get_model_metadata_pb2.SignatureDefMap()
        assert stub.GetModelMetadata(request, timeout=30).metadata["signature_def"].Unpack(signatures)
        assert {"serving_default", "serving_bytes", "spec"} == set(signatures.signature_def)
