"""The order of the rooms (docs/architecture.md) and what no file may hold, read from the source."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import speechzoo

PACKAGE = Path(speechzoo.__file__).parent
REPOSITORY = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
OURS = FILES + sorted(path for folder in ("tests", "benchmarks", "tools", "examples", "export", "zoo_configs")
                      for path in (REPOSITORY / folder).rglob("*.py"))

# From the bottom up: a room imports rooms of lower floors only.
FLOORS = [set(line.split()) for line in re.search(
    r"```floors\n(.*?)```", (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8"), re.S)[1].splitlines()]
FLOORS.append({"__main__"})
# Rooms of one floor that may import each other: a corpus is read into manifests, a manifest is a corpus.
NEIGHBOURS = {("data", "corpora"), ("corpora", "data")}
# Rooms that see less than what lies below them: they run where TensorFlow is not installed.
NARROW = {"edge": {"audio", "decoding", "files", "remarks", "text"}, "serving": {"audio", "decoding"},
          "decoding": {"audio", "files", "grammar", "metrics", "text"}, "metrics": set(), "text": {"files"},
          "listening": {"decoding", "edge"},
          "dialogue": {"corpora", "decoding", "edge", "files", "grammar", "listening", "names", "text"},
          "enhancement": {"audio", "decoding"}, "published": {"files", "hub", "origin", "text", "weights"},
          "wyoming": {"audio", "decoding", "dialogue", "listening"}}
# Rooms that import these packages and no others (besides the standard library).
PACKAGES = {
    "audio": {"numpy", "soundfile", "soxr"},
    "config": {"yaml"},
    "layers": {"keras", "numpy"},
    "frontends": {"keras", "numpy"},
    "backbones": {"keras", "numpy"},
    "heads": {"keras", "numpy"},
    "pretraining": {"keras", "numpy"},
    "grammar": {"numpy", "yaml", "home_assistant_intents", "unicode_rbnf"},
    "decoding": {"numpy"},
    "text": {"numpy", "pocketsphinx"},
    "metrics": {"numpy", "jiwer"},
    "enhancement": {"numpy"},
    "listening": {"numpy"},
    "dialogue": {"numpy", "sounddevice", "yaml"},
    "edge": {"numpy", "soundfile", "soxr", "ai_edge_litert"},
    "wyoming": {"numpy", "wyoming"},
    "published": {"h5py", "numpy", "safetensors", "yaml"},
    "origin": set(),
    "hub": {"huggingface_hub"},
}
MODEL = {f"speechzoo/multitask/{name}.py" for name in ("batches", "frames", "inputs", "labelled_mean", "model", "resting",
                                                          "serialization", "task_metrics", "task_training")}


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_of(path):
    return str(path.relative_to(REPOSITORY))


@functools.cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def calls_and_attributes(path):
    """(node, its dotted name) of every call and attribute in a file."""
    return [(node, ast.unparse(node.func if isinstance(node, ast.Call) else node)) for node in ast.walk(parse(path))
            if isinstance(node, ast.Call | ast.Attribute)]


def imports(path):
    """(line, dotted module) of every import in a file, those inside functions too."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)}:{node.lineno}: relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_rooms_import_only_rooms_below_them():
    floor_of = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    wrong = [f"docs/architecture.md: no room '{room}'" for room in floor_of
             if not (PACKAGE / room).is_dir() and not (PACKAGE / f"{room}.py").exists()]
    for path in FILES:
        room = room_of(path)
        if room == "__init__":
            continue
        assert room in floor_of or room == "checkpoints", f"{name_of(path)}: a room without a floor in this test"
        for line, module in imports(path):
            parts = module.split(".")
            if parts[0] != "speechzoo" or parts[1] in (room, "__version__"):
                continue
            other = parts[1]
            assert other in floor_of, f"{name_of(path)}:{line}: speechzoo.{other} has no floor in this test"
            below = floor_of[other] < floor_of[room] or (room, other) in NEIGHBOURS
            if not below or other not in NARROW.get(room, {other}):
                wrong.append(f"{name_of(path)}:{line}: {room} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_the_page_names_every_room_and_what_the_narrow_ones_see():
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    house = page[page.index("```text"):page.index("```floors")]
    listed = re.findall(r"^  ([a-z]\w*)(?:/|\.py) ", house, re.MULTILINE)
    assert sorted(listed) == sorted({room_of(path) for path in FILES} - {"__init__", "__main__"} | {"checkpoints"})
    narrow = {room: set(re.findall(r"`(\w+)`", seen)) for room, seen in
              re.findall(r"`(\w+)`\s+only\s+((?:`\w+`(?!\s+only)(?:,\s+|\s+and\s+)?)+)", page)}
    assert {room: narrow.get(room, set()) for room in NARROW} == NARROW


def test_tensorflow_is_where_the_page_says():
    """Inside of functions, too."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/.]+)`", re.search(r"TensorFlow lives in (.*?\.)\n", page, re.DOTALL)[1])
    for path in FILES:
        place = str(path.relative_to(PACKAGE))
        if any(module.split(".")[0] == "tensorflow" for _, module in imports(path)):
            assert any(place == name or place.startswith(f"{name}/") for name in named), f"{place} imports TensorFlow"


def test_rooms_use_only_their_packages():
    wrong = []
    for path in FILES:
        # The weightings that need gradients are TensorFlow's; the model itself is not.
        allowed = {"keras", "numpy"} if name_of(path) in MODEL else PACKAGES.get(room_of(path))
        for line, module in imports(path):
            package = module.split(".")[0]
            if allowed is not None and package not in allowed | {"speechzoo"} | sys.stdlib_module_names:
                wrong.append(f"{name_of(path)}:{line}: imports {package}")
    assert not wrong, "\n".join(wrong)


def test_tensorflow_is_not_imported_before_it_is_needed():
    wrong = []
    for path in [PACKAGE / "__init__.py", *PACKAGE.glob("audio/*.py"), *PACKAGE.glob("config/*.py"), *PACKAGE.glob("cli/*.py")]:
        for node in parse(path).body:
            names = ([alias.name for alias in node.names] if isinstance(node, ast.Import)
                     else [node.module] if isinstance(node, ast.ImportFrom) else [])
            wrong += [f"{name_of(path)}:{node.lineno}: {name}" for name in names
                      if name.split(".")[0] in ("tensorflow", "keras", "tensorflow_datasets")]
    assert not wrong, "\n".join(wrong)


def test_nothing_private_of_a_framework():
    wrong = []
    for path in OURS:
        for line, module in imports(path):
            if module.startswith(("keras.src", "tensorflow.python", "tensorflow_datasets.core", "numpy._core")):
                wrong.append(f"{name_of(path)}:{line}: {module}")
        wrong += [f"{name_of(path)}:{node.lineno}: {name}" for node, name in calls_and_attributes(path)
                  if name.startswith(("keras.src", "tf.python", "tensorflow.python", "keras._"))]
    assert not wrong, "\n".join(wrong)


def test_files_from_elsewhere_are_data():
    """No pickle, no eval, no yaml.load, no lambda layers."""
    wrong = []
    for path in OURS:
        modules = [(line, module.split(".")[0]) for line, module in imports(path)]
        wrong += [f"{name_of(path)}:{line}: {module}" for line, module in modules
                  if module in ("pickle", "dill", "joblib", "marshal", "shelve", "cloudpickle")]
        for node, called in calls_and_attributes(path):
            if not isinstance(node, ast.Call):
                continue
            pickles = any(word.arg == "allow_pickle" and getattr(word.value, "value", True) for word in node.keywords)
            if pickles or called in ("eval", "exec", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system",
                                     "keras.layers.Lambda", "__import__"):
                wrong.append(f"{name_of(path)}:{node.lineno}: {called}")
    assert not wrong, "\n".join(wrong)


def test_only_commands_print():
    wrong = []
    for path in FILES:
        if room_of(path) not in ("cli", "__main__"):
            # A module that is also run as a process of its own answers on standard output.
            body = [node for node in parse(path).body if "__main__" not in ast.unparse(getattr(node, "test", node))[:30]]
            wrong += [f"{name_of(path)}:{node.lineno}" for part in body for node in ast.walk(part)
                      if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "raise NotImplementedError"])
def test_nothing_is_left_for_later(word):
    assert not [name_of(path) for path in FILES if word in path.read_text(encoding="utf-8")]


def test_files_stay_readable():
    wrong = []
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        wrong += [f"{name_of(path)}: {len(lines)} lines, about 400 are enough"] * (len(lines) > 420)
        wrong += [f"{name_of(path)}: a name that says nothing"] * (path.stem in ("utils", "misc", "helpers", "common"))
        wrong += [f"{name_of(path)}:{number}: {len(line)} characters" for number, line in enumerate(lines, 1)
                  if len(line) > 120]
    assert not wrong, "\n".join(wrong)


def test_every_public_module_says_what_it_is():
    for path in FILES:
        tree = parse(path)
        assert not tree.body or ast.get_docstring(tree), f"{name_of(path)}: no docstring"
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{name_of(path)}:{node.lineno}: class {node.name} has no docstring"


def run_python(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_importing_the_package_imports_no_framework():
    code = ("import sys, time; start = time.process_time(); import speechzoo; names = dir(speechzoo)\n"
            "heavy = [name for name in ('tensorflow', 'keras', 'numpy', 'yaml', 'h5py') if name in sys.modules]\n"
            "print(*names, *heavy, time.process_time() - start)")
    *names, seconds = run_python(code)
    assert names == sorted(speechzoo.__all__)
    assert float(seconds) < 0.2  # of this process alone, whatever else the machine does


def test_what_a_device_runs_imports_no_tensorflow():
    modules = [".".join(path.relative_to(REPOSITORY).with_suffix("").parts) for path in FILES
               if room_of(path) in ("audio", "config", "decoding", "edge") and path.name != "__init__.py"]
    loaded = run_python(f"import sys, {', '.join(modules)}; print(*sys.modules)")
    assert not {"tensorflow", "keras", "yaml.load"} & set(loaded)


def test_public_names():
    with pytest.raises(AttributeError, match="module 'speechzoo' has no attribute 'laod'"):
        speechzoo.laod
    for name in ("load_config", "load_audio", "ZooConfig", "Recognition"):
        assert getattr(speechzoo, name).__name__ == name
