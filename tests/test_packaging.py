"""What is installed and shipped: the wheel, the source archive, the pinned environments and the command."""

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import speechzoo

REPOSITORY = Path(__file__).parents[1]
TENSORFLOW = Version(metadata.version("tensorflow"))
SHIPPED = ("speechzoo", "zoo_configs")


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The names of the files in a wheel and in a source archive, built from a copy: building leaves folders behind."""
    pytest.importorskip("wheel", reason="wheel is not installed: pip install speechzoo[dev]")
    source = tmp_path_factory.mktemp("build") / "source"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "runs", "exported")
    shutil.copytree(REPOSITORY, source, ignore=ignored)
    out = source.parent / "out"
    build = f"from setuptools import build_meta as build; build.build_wheel({str(out)!r}); build.build_sdist({str(out)!r})"
    child = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel, tarfile.open(next(out.glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
        return set(wheel.namelist()), inside


def files_of(*folders):
    """Files below folders of the repository that belong to it."""
    return {path.relative_to(REPOSITORY).as_posix() for folder in folders for path in (REPOSITORY / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")}


def test_the_wheel_holds_code_configs_checkpoints_and_voices_and_nothing_else(archives):
    wheel, _ = archives
    shipped = {name for name in wheel if ".dist-info/" not in name}
    assert shipped == files_of(*SHIPPED)
    assert any(name.endswith(".flac") for name in shipped) and "zoo_configs/mtl_conformer_small.yaml" in shipped
    for licence in ("LICENSE", "LICENSES/resemblyzer-Apache-2.0.txt", "LICENSES/whisper-MIT.txt"):
        assert any(name.endswith((f"licenses/{licence}", f"dist-info/{Path(licence).name}")) for name in wheel)


def test_the_source_archive_can_be_built_and_tested(archives):
    _, archive = archives
    wanted = files_of(*SHIPPED, "tests", "examples", "export", "benchmarks", "docs", "tools")
    wanted |= {"setup.cfg", "pyproject.toml", "Makefile", "constraints.txt", "constraints-newest.txt", "LICENSE",
               "LICENSES/resemblyzer-Apache-2.0.txt", "LICENSES/whisper-MIT.txt", "README.md"}
    assert sorted(wanted - archive) == []


def test_the_command_and_the_module_are_the_same():
    command = Path(sys.executable).parent / "speechzoo"
    if not command.exists():
        pytest.skip("speechzoo is on the path but not installed")
    ways = [[command], [sys.executable, "-m", "speechzoo"]]
    answers = [subprocess.run([*way, "--help"], capture_output=True, text=True, cwd=REPOSITORY).stdout for way in ways]
    assert answers[0] == answers[1] and "recognize" in answers[0]


@pytest.mark.parametrize("statement", ["import speechzoo", "import speechzoo.cli as cli; cli.main(['--help'])"])
def test_nothing_slow_is_imported_before_it_is_needed(statement):
    probe = ("import sys, atexit\n"
             "slow = ('tensorflow', 'keras', 'jax', 'torch', 'ai_edge_litert', 'matplotlib', 'tensorflow_datasets')\n"
             "atexit.register(lambda: print('imported:', [name for name in slow if name in sys.modules]))\n" + statement)
    child = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=REPOSITORY)
    assert child.stdout.endswith("imported: []\n"), child.stdout + child.stderr


def test_the_versions_agree():
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    assert setup["metadata"]["version"] == "attr: speechzoo.__version__"
    assert str(Version(speechzoo.__version__)) == speechzoo.__version__


@pytest.mark.parametrize("name, tensorflow", [("constraints.txt", "2.17.1"), ("constraints-newest.txt", "2.21.0")])
def test_constraints_pin_every_dependency_within_its_declared_range(name, tensorflow):
    pins = read_pins(name)
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    declared = setup["options"]["install_requires"].split("\n") + setup["options.extras_require"]["dev"].split("\n")
    for line in filter(None, declared):
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins[requirement.name.lower()]), line
    assert pins["tensorflow"] == tensorflow
    assert pins["tensorflow-serving-api"].rpartition(".")[0] == tensorflow.rpartition(".")[0]


@pytest.mark.skipif("CI" not in os.environ, reason="only CI promises a pinned environment")
def test_the_environment_is_the_pinned_one():
    pins = read_pins("constraints.txt" if TENSORFLOW < Version("2.18") else "constraints-newest.txt")
    assert {name: metadata.version(name) for name in ("tensorflow", "keras", "numpy", "protobuf", "jax")} == {
        name: pins[name] for name in ("tensorflow", "keras", "numpy", "protobuf", "jax")}


def read_pins(name):
    """Package in lower case -> version, of a constraints file."""
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if line and not line.startswith("#")]
    assert all(equals for _, equals, _ in pins), f"{name}: a line that pins nothing"
    return {package.lower().replace("_", "-"): version for package, _, version in pins}
