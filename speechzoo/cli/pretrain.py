"""`speechzoo pretrain`: a config and recordings without labels -> weights to start from."""

from speechzoo.cli import train

HELP = "Teach a model's backbone from recordings without labels; started again, it goes on where it stopped."
LIST = "overrides"


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("config", metavar="CONFIG", help="name of a zoo model, or path of a YAML file: the model that "
                        "shall start from what is learnt")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE",
                        help="changes to the config: training.epochs=3 'data.train=[{manifest: a.jsonl}]'")
    parser.add_argument("--objective", required=True, metavar="NAME", help="best_rq, masked_prediction, or apc (of "
                        "causal models)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the run: weights, log, curves")
    parser.add_argument("--weights", metavar="WEIGHTS", help="what to start from, as of `speechzoo train`")
    parser.add_argument("--restart", action="store_true", help="start over, dropping what an earlier run left in DIR")


def run(arguments):
    """Trains, showing what `speechzoo train` shows; 130 when it was interrupted."""
    from speechzoo.config import load_config
    from speechzoo.pretraining.config import pretraining_config
    from speechzoo.training.checkpoint import has_checkpoint

    begun = arguments.out if not arguments.restart and has_checkpoint(arguments.out) else None
    config = load_config(arguments.config, arguments.overrides, begun)
    code = train.show_training(pretraining_config(config, arguments.objective), arguments)
    if not code:
        print(f"speechzoo train {arguments.config} --weights {arguments.out} --out DIR starts from it")
    return code
