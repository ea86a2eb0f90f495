"""`speechzoo show`: what a model is, what it costs and how well it does."""

HELP = "List the zoo's models, or show one: architecture, size, cost, heads, training data and results."


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("name", nargs="?", metavar="NAME",
                        help="name of a zoo model, or an exported .tflite file; without it, the list of all")
    parser.add_argument("--head", metavar="HEAD", help="list only models that have this head")
    parser.add_argument("--classes", action="store_true",
                        help="print what each head of the model can answer instead: classes, units, values of slots")
    parser.add_argument("--card", action="store_true", help="print the whole model card too")


def run(arguments):
    """Prints the list or one model's description."""
    from rich.console import Console

    console = Console()
    if arguments.name is None and arguments.classes:
        raise ValueError("--classes is of one model: speechzoo show NAME --classes")
    if arguments.name is None:
        _show_list(console, arguments.head)
    elif arguments.name.endswith(".tflite"):
        _show_file(console, arguments.name, arguments.classes)
    else:
        _show_model(console, arguments.name, arguments.classes, arguments.card)


def _show_list(console, head):
    """Models with weights, then recipes without."""
    from speechzoo.config import load_config
    from speechzoo.registry import list_models, summarize

    models = [summarize(name) for name in list_models(head=head)]
    if not models:
        known = sorted({head for name in list_models() for head in load_config(name).heads})
        raise ValueError(f"no model of the zoo has a head '{head}'; heads: {', '.join(known)}")
    trained = [model for model in models if model.pretrained]
    recipes = [model for model in models if not model.pretrained]
    # No name is cut: in a terminal that is too narrow, lines wrap.
    console.width = max(console.width, max(len(model.name) for model in models) + 46)
    if trained:
        console.print(_table(("model with weights", "size", "licence", "heads"), [
            (model.name, f"{model.size_bytes / 1e3:,.0f} kB", model.licence, ", ".join(model.heads))
            for model in trained]))
    if trained and recipes:
        console.print()
    if recipes:
        console.print(_table(("recipe without weights", "what it is"), [
            (model.name, model.summary) for model in recipes]))


def _table(titles, rows):
    """A table whose first column is never cut, whatever the width of the terminal."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column(titles[0], no_wrap=True, min_width=max(len(row[0]) for row in rows))
    for title in titles[1:]:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _show_model(console, name, classes, card):
    """A zoo model: what it is made of, what it costs and how well it does; or its classes."""
    from rich.table import Table

    from speechzoo.multitask.sharing import SHARINGS
    from speechzoo.multitask.weighting import WEIGHTINGS
    from speechzoo.registry import describe

    model = describe(name)
    if classes:
        _print_labels(model.labels)
        return
    config = model.config
    console.print(f"[bold]{config.name}[/bold]: {config.summary}")
    table = Table(box=None, show_header=False)
    table.add_row("front end", _part(config.frontend))
    table.add_row("backbone", _part(config.backbone))
    table.add_row("sharing", f"{_part(config.sharing)} ({SHARINGS[config.sharing.type].cost})")
    table.add_row("weighting", f"{_part(config.weighting)} (a training step: {WEIGHTINGS[config.weighting.type].cost})")
    hard = config.sharing.type == "hard"
    table.add_row("parameters", f"{model.parameters:,}"
                  + ("" if hard else f" ({model.hard_parameters:,} with hard sharing)"))
    table.add_row("multiply-accumulates", f"{model.macs_per_second / 1e6:.1f} million a second of audio"
                  + ("" if hard else f" ({model.hard_macs_per_second / 1e6:.1f} with hard sharing)"))
    for head_name, head in config.heads.items():
        where = f", block {head.block}" if head.block else ""
        table.add_row(f"head {head_name}", f"{head.type}{where}: {_options(head.options)}")
    for label, text in _origin_rows(model.metrics or {}):
        table.add_row(label, text)
    for source in config.data.train:
        table.add_row("trained on", source.manifest + (f" ({source.split})" if source.split else ""))
    console.print(table)
    if model.metrics is None:
        console.print("no pretrained weights")
    else:
        results = Table("head", "metric", "value", "utterances", box=None)
        for head, values in model.metrics["results"]["overall"].items():
            for metric, value in values.items():
                if isinstance(value, float):
                    results.add_row(head, metric, f"{value:.4f}", str(values.get("n", "")))
        console.print(results)
    for head, classes in model.weak.items():
        console.print(f"{head} doesn't answer {', '.join(classes)}: under half of their recordings were right",
                      highlight=False)
    if model.wake_words:
        console.print(_wake_words(model.wake_words), highlight=False)
    if card and model.card:
        console.print(model.card, markup=False)


def _show_file(console, path, classes):
    """What an exported file holds: its heads, and what it can be asked."""
    from pathlib import Path

    from rich.table import Table

    from speechzoo.decoding.answers import answer_kind
    from speechzoo.edge.edge_model import EdgeModel

    model = EdgeModel(path)
    spec, quantize = model.spec, model.artifact.quantize
    if classes:
        _print_labels({name: answer_kind(head).labels(head) for name, head in spec["heads"].items()})
        return
    console.print(f"[bold]{spec['name']}[/bold]: {Path(path).stat().st_size / 1e6:.2f} MB, {spec['sample_rate']} Hz, "
                  f"{'float32' if quantize == 'none' else quantize}", highlight=False)
    table = Table(box=None, show_header=False)
    for name, head in spec["heads"].items():
        table.add_row(f"head {name}", f"{head['type']}, {answer_kind(head).describe(head)}")
    for name, signature in model.signatures.items():
        state = sorted(set(signature["inputs"]) & set(signature["outputs"]))
        given = [item for item in signature["inputs"] if item not in state]
        answers = [item for item in spec["heads"] if item in signature["outputs"]] or signature["outputs"]
        more = f", and {len(state)} tensors of state" if state else ""
        table.add_row(f"signature {name}", f"{', '.join(given)}{more} -> {', '.join(answers)}")
    artifact = model.artifact
    for label, text in _origin_rows({"licence": artifact.licence, "derived_from": artifact.derived_from}):
        table.add_row(label, text)
    if measured := spec["heads"].get("keyword", {}).get("wake_thresholds"):
        table.add_row("waking", _wake_words(measured).removeprefix("wake words: "))
    if "stream" in spec:
        step = spec["stream"]["step_samples"]
        table.add_row("stream", f"steps of {step} samples ({1e3 * step / spec['sample_rate']:g} ms)")
    console.print(table)


def _wake_words(thresholds):
    """Which words wake, at which mean posterior, and which don't."""
    offered = [f"{word} ({least:g})" for word, least in thresholds.items() if least is not None]
    others = [word for word, least in thresholds.items() if least is None]
    return f"wake words: {', '.join(offered) or 'none'}" + (f"; not offered: {', '.join(others)}" if others else "")


def _print_labels(labels):
    """What each head can answer: one line per head, whatever the width of the terminal, for searching."""
    for head, values in labels.items():
        print(f"{head} ({len(values)}): {', '.join(values)}" if values else f"{head}: numbers without names")


def _origin_rows(values):
    """What is said of the licence of weights, and of each of those that they derive from."""
    rows = [("licence", values["licence"])] if values.get("licence") else []
    return rows + [("derived from", ", ".join(filter(None, (source.get("name"), source.get("licence"),
                                                            source.get("copyright")))))
                   for source in values.get("derived_from", [])]


def _part(part):
    return f"{part.type}: {_options(part.options)}" if part.options else part.type


def _options(options):
    return ", ".join(f"{key} {len(value)} values" if isinstance(value, (list, dict)) else f"{key} {value}"
                     for key, value in options.items())
