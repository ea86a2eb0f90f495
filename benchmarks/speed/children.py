"""Work in processes of its own, so that frameworks in different environments can take turns."""

import json
import os
import subprocess
import sys


def run_child(python: str, command: list, threads: int):
    """What a command of a benchmark prints last, read as JSON; it may use as many cores as it has threads.

    Args:
        python: The interpreter.
        command: The arguments of the interpreter: `-m`, the module, its own arguments.
        threads: Threads of the computation.

    Raises:
        SystemExit: It failed; with what it said.
    """
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": str(threads),
                   "TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1",
                   "KERAS_BACKEND": "tensorflow"}
    cores = set(sorted(os.sched_getaffinity(0))[:threads]) if hasattr(os, "sched_getaffinity") else None
    done = subprocess.run([python, *map(str, command)], capture_output=True, text=True, env=environment, check=False,
                          preexec_fn=cores and (lambda: os.sched_setaffinity(0, cores)))
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed under {python}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])
