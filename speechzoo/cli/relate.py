"""`speechzoo relate`: which heads of a config belong together."""

import contextlib
import sys

HELP = "Measure in a brief training how the heads of a config affect each other, and propose networks for them."
LIST = "overrides"


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("config", metavar="CONFIG", help="name of a zoo model, or path of a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="changes to the config: data.root=prepared")
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="training steps (%(default)s)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for relatedness.json and the pictures")
    parser.add_argument("--networks", type=int, default=2, metavar="K",
                        help="most networks to group into (%(default)s)")
    parser.add_argument("--budget", type=int, metavar="PARAMETERS", help="most parameters of all networks together")
    parser.add_argument("--measure-every", type=int, default=10, metavar="N",
                        help="steps between measurements (%(default)s)")
    parser.add_argument("--rate", type=float, metavar="R",
                        help="learning rate of the step that affinities look ahead (training.learning_rate)")
    parser.add_argument("--alone-steps", type=int, metavar="N",
                        help="steps of each head's own network, for the comparison of representations (as --steps); "
                             "0 leaves it out")


def run(arguments):
    """Measures, prints the matrices and the proposed networks, and writes them to the folder."""
    from pathlib import Path

    from rich.console import Console

    from speechzoo.training.relate_tasks import relate
    from speechzoo.training.relatedness_plot import plot_relatedness

    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    with (_Bars() if sys.stderr.isatty() else contextlib.nullcontext()) as bars:
        result = relate(arguments.config, arguments.steps, arguments.overrides, arguments.networks, arguments.budget,
                        arguments.measure_every, arguments.rate, arguments.alone_steps, bars and bars.show)
    result.write(folder / "relatedness.json")
    pictures = plot_relatedness(result, folder)
    console = Console()
    console.print(_table("affinity in %: what a step on the row's head does for the column's", result.heads,
                         result.affinity, 100.0))
    console.print(_table("cosine of gradients", result.heads, result.cosine))
    if result.similarity is not None:
        console.print(_table("similarity of representations (linear CKA)", result.heads, result.similarity))
    grouping = result.grouping
    for number, group in enumerate(grouping.groups, 1):
        console.print(f"network {number}: {', '.join(group)}", highlight=False)
    received = 100 * grouping.score / len(result.heads)
    console.print(f"{grouping.parameters:,} parameters; mean affinity received {received:.3g} %", highlight=False)
    for path in (folder / "relatedness.json", *pictures):
        print(path)


def _table(title, heads, matrix, factor=1.0):
    from rich.table import Table

    table = Table("", *heads, title=title, title_justify="left", box=None)
    for head, row in zip(heads, matrix):
        table.add_row(head, *("-" if value is None else f"{factor * value:.3f}" for value in row))
    return table


class _Bars:
    """A bar for each training."""

    def __enter__(self):
        from rich.console import Console
        from rich.progress import Progress

        self._progress, self._tasks = Progress(console=Console(stderr=True), transient=True), {}
        self._progress.start()
        return self

    def __exit__(self, *exception):
        self._progress.stop()

    def show(self, name, step, steps):
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=steps)
        self._progress.update(self._tasks[name], completed=step)
