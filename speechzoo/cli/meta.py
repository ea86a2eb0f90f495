"""`speechzoo meta`: teach a model to learn words from a few recordings, and let it learn some."""

HELP = "Teach a model to learn words from a few recordings each (few-shot learning), or let it learn some: --words."

# Names of `speechzoo.meta.methods.METHODS`, which imports Keras.
METHODS = ("prototypical", "relation", "maml", "first_order_maml", "anil", "reptile", "meta_sgd", "nearest_centroid",
           "logistic", "fine_tuning")


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="MODEL", help="name of a zoo model, folder of a run, or hf://owner/name; with "
                        "--words the folder that this command wrote")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--manifest", metavar="DATA", help="recordings of many words to teach with: manifest, prepared "
                      "folder, or folder with one folder per word")
    data.add_argument("--words", metavar="DATA", help="a few recordings of each word that shall be learnt")
    parser.add_argument("--out", required=True, metavar="DIR", help="where to write; the same command goes on with "
                        "what an interrupted one has left here")
    parser.add_argument("--test", metavar="DATA", help="recordings of other words to measure on; without it some words "
                        "and speakers of --manifest are held out")
    parser.add_argument("--method", choices=METHODS, help="how (default: prototypical)")
    parser.add_argument("--label", metavar="FIELD", help="label of the recordings (default: keyword)")
    parser.add_argument("--head", metavar="NAME", help="name of the new head (default: few_shot)")
    whole = {"episodes": "episodes to teach with (default: 2000)", "ways": "words per episode (default: 5)",
             "shots": "recordings to learn each from (default: 5)",
             "queries": "recordings of each to test on (default: 5)",
             "unknown": "recordings of other words among them (default: 5)",
             "silence": "recordings of silence among them (default: 1)",
             "block": "block of the backbone to read, from 1 (default: the last)",
             "hidden-size": "numbers that a recording becomes (default: 64)",
             "steps": "inner steps, of methods that have some",
             "per-class": "recordings of each word at most (default: 100)",
             "test-episodes": "episodes to measure on (default: 200)", "seed": "seed of all of it (default: 1)"}
    for name, text in whole.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=text)
    parser.add_argument("--learning-rate", type=float, metavar="RATE", help="of the outer steps (default: 0.001)")
    parser.add_argument("--inner-rate", type=float, metavar="RATE", help="of the inner steps, of methods that "
                        "have some")
    parser.add_argument("--train-backbone", action="store_const", const=True, help="let front end and backbone learn, "
                        "too; without it their frames are computed once")


def run(arguments):
    """Teaches, saying each step, or learns words; 130 when it was interrupted."""
    chosen = {name: value for name, value in vars(arguments).items() if value is not None and name in (
        "test", "method", "label", "head", "episodes", "ways", "shots", "queries", "unknown", "silence", "block",
        "hidden_size", "steps", "per_class", "test_episodes", "seed", "learning_rate", "inner_rate", "train_backbone")}
    if arguments.words is not None:
        return _learn(arguments, chosen)
    from speechzoo.meta import MetaSettings, meta_train

    result = meta_train(MetaSettings(arguments.model, arguments.manifest, **chosen), arguments.out,
                        on_progress=lambda line: print(line, flush=True))
    if result.interrupted:
        print("stopped; the same command goes on from there")
        return 130
    for name, figures in result.figures.items():
        line = f"{name}: {100 * figures['accuracy']:.1f} % right ({100 * figures['accuracy_low']:.1f} to " \
               f"{100 * figures['accuracy_high']:.1f})"
        if "hits" in figures:
            line += f", {100 * figures['hits']:.1f} % right and accepted where 5 % of other recordings are"
        print(line)
    print(f"{result.model / 'card.md'} says more; speechzoo meta {arguments.out} --words FOLDER --out DIR learns words")
    return 0


def _learn(arguments, chosen):
    from speechzoo.meta import learn_words

    if chosen:
        raise ValueError(f"--{next(iter(chosen)).replace('_', '-')} is for teaching, with --manifest; "
                         "--words learns as the run was taught")
    model = learn_words(arguments.model, arguments.words, arguments.out)
    name, head = list(model.heads.items())[-1]
    print(f"{arguments.out}: head {name} knows {', '.join(head.classes)}")
    return 0
