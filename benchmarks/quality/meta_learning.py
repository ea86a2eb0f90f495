"""Methods of learning to learn and plain baselines, in the same episodes of words that none of them met.

    python -m benchmarks.quality.meta_learning mtl_conformer_small mtl_whisper_tiny \\
        --train prepared/speech_commands/manifest.jsonl --test prepared/arabic_speech_commands/manifest.jsonl --folder runs/meta

Words of `--train` teach, words of `--test` are learnt from 1 and 5 recordings, five at a time, and told apart by speakers who taught
nothing. Nearest centroid and the logistic layer read each block of the backbone, all others the one named by `--block`. Printed are,
with 95 % intervals over episodes: words right; and words right and accepted where 5 % of other words and of silence are, at the
threshold chosen on these episodes, and at the one that was set on the words that teach. Frames of recordings are kept in `--folder`.
"""

import argparse
import dataclasses
import time
from pathlib import Path

from speechzoo.meta.evaluation import calibrate, few_shot_figures
from speechzoo.meta.experiment import Experiment
from speechzoo.meta.methods import METHODS
from speechzoo.meta.settings import MetaSettings
from speechzoo.meta.teaching import teach
from tools.figures import add_figures_option, write_figures
from tools.tables.plain import plain

FIGURES = [f"{name}{end}" for name in ("accuracy", "hits", "set_hits", "set_false_accepts") for end in ("", "_low", "_high")]


def measure(settings: MetaSettings, folder: Path, methods: list[str], say) -> list[dict]:
    """Rows of one model and number of recordings: each method on the block of the settings, baselines on every block."""
    experiment, rows = Experiment(settings, folder / "features", say), []
    last = experiment.model.backbone.num_blocks
    for name in methods:
        blocks = range(1, last + 1) if METHODS[name].reads_pooled else [settings.block or last]
        for block in blocks:
            started = time.monotonic()
            chosen = dataclasses.replace(settings, method=name, block=block)
            method = experiment.make(chosen)
            if method.trained:
                path = folder / f"{name}-{settings.shots}.npz"
                path.unlink(missing_ok=True)  # the seconds are those of all episodes
                if not teach(experiment, method, chosen, path):
                    raise KeyboardInterrupt
            figures = few_shot_figures(experiment.test(method, block), *calibrate(experiment.check(method, block)))
            rows.append({"model": Path(settings.model).name, "recordings": settings.shots, "method": name, "block": block,
                         **{name: figures.get(name) for name in FIGURES}, "seconds": time.monotonic() - started})
            say(f"{rows[-1]['model']}, {settings.shots} recordings, {name}, block {block}: {figures['accuracy']:.3f}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="zoo models, or folders of runs")
    parser.add_argument("--train", required=True, metavar="MANIFEST")
    parser.add_argument("--test", required=True, metavar="MANIFEST")
    parser.add_argument("--folder", required=True, type=Path, help="for frames and checkpoints")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--label", default="keyword")
    parser.add_argument("--block", type=int)
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--test-episodes", type=int, default=200)
    parser.add_argument("--per-class", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    add_figures_option(parser, "meta_learning")
    arguments = parser.parse_args()
    rows = []
    for model in arguments.models:
        for shots in arguments.shots:
            settings = MetaSettings(model, arguments.train, arguments.test, label=arguments.label, shots=shots,
                                    block=arguments.block, episodes=arguments.episodes, seed=arguments.seed,
                                    test_episodes=arguments.test_episodes, per_class=arguments.per_class)
            rows += measure(settings, arguments.folder / Path(model).name, arguments.methods,
                            lambda line: print(line, flush=True))
    print("\n".join(plain("meta_learning", rows)))
    write_figures(arguments.figures, rows)


if __name__ == "__main__":
    main()
