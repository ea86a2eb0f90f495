"""The files of `export/serving`: they parse, agree with each other and with what the exporter writes."""

import base64
import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.helpers import tone, write_wav
from tests.serving.tiny import serving
from tests.tiny_models import tiny_model

KIT = Path(__file__).parents[2] / "export" / "serving"


def test_compose_mounts_what_its_flags_name():
    service = yaml.safe_load((KIT / "docker-compose.yml").read_text())["services"]["serving"]
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", service["image"])
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in service["command"])
    mounted = {target: source for source, target, _ in (volume.split(":") for volume in service["volumes"])}
    for flag in ("model_config_file", "batching_parameters_file"):
        assert (KIT / mounted[flags[flag]]).is_file()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_compose_watches_the_service_and_bounds_it():
    service = yaml.safe_load((KIT / "docker-compose.yml").read_text())["services"]["serving"]
    port = service["ports"][1].split(":")[-1]
    assert service["healthcheck"]["test"] == ["CMD", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"]
    assert {"mem_limit", "cpus", "pids_limit"} <= service.keys() and service["logging"]["options"]["max-size"]


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_the_health_check_tells_an_open_port_from_a_closed_one():
    check = yaml.safe_load((KIT / "docker-compose.yml").read_text())["services"]["serving"]["healthcheck"]["test"][1:]
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [word.replace("/8501", f"/{server.getsockname()[1]}") for word in check]
        assert subprocess.run(command, capture_output=True, timeout=10).returncode == 0
    assert subprocess.run(command, capture_output=True, timeout=10).returncode != 0


def test_models_config_is_one_that_the_server_reads():
    model_server_config_pb2 = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    from google.protobuf import text_format

    config = text_format.Parse((KIT / "models.config").read_text(), model_server_config_pb2.ModelServerConfig())
    for model in config.model_config_list.config:
        assert model.base_path == f"/models/{model.name}" and model.model_platform == "tensorflow"


def test_batching_pads():
    lines = [line for line in (KIT / "batching.config").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"\w+ \{ value: \d+ \}|pad_variable_length_inputs: true", line) for line in lines)
    assert "pad_variable_length_inputs: true" in lines


@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl", "jq", "base64"))),
                    reason="needs bash, curl, jq and base64")
def test_commands_of_the_readme(tmp_path, tmp_path_factory):
    pytest.importorskip("tensorflow_serving")
    write_wav(tmp_path / "order.wav", tone(0.7, seed=2))
    blocks = re.findall(r"```sh\n(.*?)```", (KIT / "README.md").read_text(), re.DOTALL)
    as_base64, samples = blocks[1:]
    server = serving(tmp_path_factory)

    def run(script):
        script = script.replace("http://localhost:8501", server.rest_url)
        done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and "error" not in done.stdout, done.stdout + done.stderr
        return done.stdout

    # `comma` is unset at first, which the README's shell allows and `-u` doesn't.
    answer = json.loads(run("comma=;" + as_base64))
    assert answer["keyword"] == tiny_model().recognize(tmp_path / "order.wav").keyword
    assert not any(name.endswith("_logits") for name in answer)
    two = json.loads(run("comma=;" + as_base64.split("wav order.wav")[0] + "wav order.wav order.wav"))
    assert [len(base64.b64decode(item["b64"])) for item in two["instances"]] == [44 + 2 * 11200] * 2
    columns, rows, spec, metadata = map(run, samples.strip().splitlines())
    assert set(json.loads(columns)) == {"outputs"} and set(json.loads(rows)) == {"predictions"}
    assert json.loads(spec) == tiny_model().spec
    assert "serving_bytes" in metadata
