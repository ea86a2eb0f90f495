"""`speechzoo benchmark`: latency, memory, size and multiply-accumulates of a model on this machine."""

import argparse
import json
import math

HELP = "Measure a model on this machine: latency, real-time factor, memory, size, multiply-accumulates, start-up."


def add_arguments(parser):
    """Adds the arguments of the command to its parser."""
    parser.add_argument("model", metavar="NAME_OR_TFLITE", help="a model of the zoo, a training run, or a .tflite file")
    parser.add_argument("--seconds", type=_numbers(float), default=[1.0, 3.0, 10.0], metavar="S,S",
                        help="lengths of audio (1,3,10)")
    parser.add_argument("--threads", type=_numbers(int), default=[1], metavar="N,N", help="numbers of threads (1)")
    parser.add_argument("--repeats", type=int, default=30, metavar="N", help="utterances timed for each (%(default)s)")
    parser.add_argument("--operators", action="store_true", help="also time every operator of a .tflite file by itself")
    parser.add_argument("--json", metavar="OUT", help="also write the figures to this file")


def run(arguments):
    """Prints one line for each length and number of threads."""
    from speechzoo.files import check_writable, write_atomically
    from speechzoo.profiling.latency import benchmark

    if arguments.json:
        check_writable(arguments.json)
    result = benchmark(arguments.model, arguments.seconds, arguments.threads, max(1, arguments.repeats),
                       arguments.operators)
    print(f"{result.model}: {result.size_mb:g} MB, {result.macs_per_second / 1e6:.1f} M multiply-accumulates "
          "a second of audio")
    print(f"{'audio s':>8} {'threads':>8} {'median ms':>10} {'p95 ms':>9} {'real time':>10} {'peak MB':>8} "
          f"{'start s':>8}")
    for row in result.timings:
        print(f"{row.seconds:8g} {row.threads:8d} {row.median_ms:10.2f} {row.p95_ms:9.2f} {row.real_time_factor:10.4f} "
              f"{row.peak_memory_mb:8.0f} {row.startup_seconds:8.2f}")
    for row in result.streams:
        print(f"stream: steps of {1e3 * row.step_seconds:g} ms, {row.threads} threads: {row.median_ms:.2f} ms each "
              f"(p95 {row.p95_ms:.2f}), real time {row.real_time_factor:.4f}, latency {row.latency_ms:.0f} ms")
    if result.operators:
        total = sum(row.milliseconds for row in result.operators)
        print(f"operators, each by itself, {max(arguments.seconds):g} s of audio on one thread:")
        for row in result.operators:
            print(f"{row.name:>24} {row.count:6d} {row.milliseconds:9.3f} ms {row.milliseconds / total:7.1%}")
        print(f"{'together':>24} {sum(row.count for row in result.operators):6d} {total:9.3f} ms")
    if arguments.json:
        write_atomically(arguments.json, (json.dumps(result.to_dict(), indent=1) + "\n").encode())


def _numbers(kind):
    def parse(text):
        try:
            values = [kind(part) for part in text.split(",")]
        except ValueError:
            values = [0]
        if not all(0 < value < math.inf for value in values):
            raise argparse.ArgumentTypeError(f"'{text}' is not a list of numbers above 0, such as 1,3")
        return values
    return parse
