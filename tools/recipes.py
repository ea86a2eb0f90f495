"""What the models of the zoo cost that have no weights yet: counted by building them.

    python -m tools.recipes

writes docs/figures/recipes.csv, for the README's table of recipes. Those with weights say it in their `metrics.json`.
"""

import argparse

from speechzoo.registry import ModelSummary, describe, list_models
from tools.figures import add_figures_option, write_figures


def costs(model: ModelSummary) -> dict:
    """The row of a model."""
    return {"name": model.name, "parameters": model.parameters, "macs_per_second": model.macs_per_second}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_figures_option(parser, "recipes")
    arguments = parser.parse_args()
    write_figures(arguments.figures, [costs(describe(name)) for name in list_models(pretrained=False)])
