"""A model that learns classes from a few recordings: taught by episodes, measured on classes that it never met."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from keras import ops

from speechzoo.data.manifest import manifest_of
from speechzoo.files import write_arrays_atomically, write_atomically
from speechzoo.meta.building import assemble, check_head_name
from speechzoo.meta.card import write_card
from speechzoo.meta.evaluation import calibrate, few_shot_figures
from speechzoo.meta.experiment import Experiment
from speechzoo.meta.settings import MetaSettings
from speechzoo.meta.teaching import teach
from speechzoo.registry import find_weights, save
from speechzoo.weights import sha256_of

MODEL, FIGURES, LEARNT = "model", "few_shot.json", "learnt.npz"
STATE = "meta.json"
# What the card sets beside the method: both are computed in seconds.
_BESIDE = ("nearest_centroid", "logistic")


@dataclass
class MetaResult:
    """What came of it.

    Attributes:
        model: Folder of a model that `speechzoo.load` takes: the start that words are learnt from (`learn_words`).
        figures: Method -> figures on held-out classes, see `few_shot_figures`: the method's and those of baselines in
            the same episodes.
        interrupted: The same call goes on.
    """

    model: Path
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    interrupted: bool = False


def meta_train(settings: MetaSettings, out: str | Path, on_progress: Callable[[str], None] | None = None) -> MetaResult:
    """Teaches a head for classes that have only a few recordings, and measures it on classes that it never met.

    Interrupted and called again, it goes on.

    Args:
        settings: What to do.
        out: Folder to write: `model/` with a card, `few_shot.json`, and what is needed to go on and to learn words.
        on_progress: Called with a line now and then.

    Raises:
        ConfigError: No such model, or it has a head of that name.
        CorpusError, ManifestError: The recordings can't be read.
        ValueError: Too few recordings, or `out` belongs to another run.

    Example:
        result = meta_train(MetaSettings("mtl_conformer_small", "prepared/speech_commands/manifest.jsonl",
                                         test="prepared/arabic_speech_commands/manifest.jsonl"), "runs/words")
        result.figures["prototypical"]["accuracy"]
    """
    out, say = Path(out), on_progress or (lambda line: None)
    check_head_name(settings)
    _claim(out, settings)
    experiment = Experiment(settings, out / "features", say)
    method = experiment.make()
    if method.trained and not teach(experiment, method, settings, out / "checkpoint.npz", say):
        return MetaResult(out / MODEL, interrupted=True)
    say("measuring on held-out classes")
    temperature, threshold = calibrate(experiment.check(method))
    figures = {settings.method: few_shot_figures(experiment.test(method), temperature, threshold)}
    for name in _BESIDE if experiment.features.pooled else ():
        if name != settings.method:
            beside = experiment.make(dataclasses.replace(settings, method=name, inner_rate=None, steps=None))
            figures[name] = few_shot_figures(experiment.test(beside), *calibrate(experiment.check(beside)))
    values = [ops.convert_to_numpy(variable) for variable in method.variables]
    _write_learnt(out / LEARNT, values, experiment.statistics(settings.block), temperature, threshold)
    save(assemble(settings, [f"word_{number + 1}" for number in range(settings.ways)], _start(method, values)),
         out / MODEL)
    write_atomically(out / FIGURES, (json.dumps({"settings": dataclasses.asdict(settings), "figures": figures},
                                                indent=1) + "\n").encode())
    write_card(out / MODEL / "card.md", settings, experiment, figures)
    return MetaResult(out / MODEL, figures)


def read_run(folder: str | Path) -> MetaSettings:
    """The settings of a run.

    Raises:
        ValueError: The folder holds none.
    """
    path = Path(folder) / STATE
    if not path.is_file():
        raise ValueError(f"{folder}: no run of speechzoo meta; expected {STATE} in it")
    return MetaSettings(**json.loads(path.read_text(encoding="utf-8"))["settings"])


def read_learnt(folder: str | Path) -> dict[str, np.ndarray]:
    """What a run has learnt: `value_<number>` of the method's variables, `mean`, `deviation`, `temperature`, and
    `threshold`, NaN where none was set.

    Raises:
        ValueError: The run hasn't come to its end, or its base has other weights now.
    """
    path, state = Path(folder) / LEARNT, json.loads((Path(folder) / STATE).read_text(encoding="utf-8"))
    if not path.is_file():
        raise ValueError(f"{folder}: the run hasn't come to its end; the command that began it goes on")
    if sha256_of(find_weights(state["settings"]["model"])) != state["weights"]:
        raise ValueError(f"{folder}: was learnt on other weights than {state['settings']['model']} has now; run again "
                         "into another folder")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _claim(out, settings):
    """Notes the settings, or checks that they are those of the run that is there."""
    state = {"settings": dataclasses.asdict(settings), "weights": sha256_of(find_weights(settings.model)),
             "recordings": _digests(settings)}
    path = out / STATE
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before != state:
            differing = [key for key, value in state["settings"].items() if before["settings"].get(key) != value]
            differing += [key for key in ("weights", "recordings") if before[key] != state[key]]
            raise ValueError(f"{out}: holds another run (its {', '.join(differing)} differ); choose another output "
                             "folder, or delete it")
        return
    write_atomically(path, json.dumps(state, indent=1).encode())


def _digests(settings):
    """What the lists of recordings are known by: folders may grow while a run stands still."""
    digests = []
    for source in (settings.train, settings.test):
        path = Path(source) if source else None
        if path is not None and path.is_dir() and not manifest_of(path).is_file():
            names = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
            digests.append(hashlib.sha256("\n".join(names).encode()).hexdigest())
        elif path is not None and path.exists():
            digests.append(sha256_of(manifest_of(path)))
    return digests


def _start(method, values):
    """Path -> value of what episodes have taught, without what isn't the model's, such as rates."""
    if method.network is None:
        return {}
    own = {id(variable) for part in (method.network, method.head) for variable in part.trainable_variables}
    return {variable.path: value for variable, value in zip(method.variables, values) if id(variable) in own}


def _write_learnt(path, values, statistics, temperature, threshold):
    write_arrays_atomically(path, **{f"value_{number}": value for number, value in enumerate(values)},
                            mean=statistics[0], deviation=statistics[1], temperature=temperature,
                            threshold=np.nan if threshold is None else threshold)


def is_run(folder: str | Path) -> bool:
    """Whether a folder holds a run."""
    return (Path(folder) / STATE).is_file()
