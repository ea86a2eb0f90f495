"""How fast a model answers and how much memory it takes, on this machine.

Every length and number of threads runs in a process of its own: memory is the process's, and so is the time to start.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Timing:
    """Figures of one length of audio and one number of threads.

    Attributes:
        seconds: Length of the audio.
        threads: Threads of the computation.
        median_ms, p95_ms: Latency of one utterance, milliseconds.
        real_time_factor: Median latency over the length of the audio.
        peak_memory_mb: Greatest memory of the whole process, with Python and libraries.
        startup_seconds: From the first import to a model that is ready.
    """

    seconds: float
    threads: int
    median_ms: float
    p95_ms: float
    real_time_factor: float
    peak_memory_mb: float
    startup_seconds: float


@dataclass
class StreamTiming:
    """Figures of a file that hears step by step, on one number of threads.

    Attributes:
        threads: Threads of the computation.
        step_seconds: Audio of a step: a frame waits at most so long for the others of its step. Causal models look no
            further ahead, so this is the algorithmic latency.
        median_ms, p95_ms: Time to compute a step, milliseconds.
        real_time_factor: Median over the length of a step.
        latency_ms: Algorithmic latency and the 95th percentile of the computation together.
    """

    threads: int
    step_seconds: float
    median_ms: float
    p95_ms: float
    real_time_factor: float
    latency_ms: float


@dataclass
class Benchmark:
    """Figures of one model.

    Attributes:
        model: What was measured.
        size_mb: Size of the `.tflite` file, or of the float32 weights.
        macs_per_second: Multiply-accumulates for one second of audio.
        timings: One for each length and number of threads.
        streams: One for each number of threads, of a `.tflite` file with the signature `stream_step`.
        operators: What each kind of operator takes of an answer, where that was asked for.
    """

    model: str
    size_mb: float
    macs_per_second: int
    timings: list[Timing]
    streams: list[StreamTiming] = field(default_factory=list)
    operators: list = field(default_factory=list)

    def to_dict(self) -> dict:
        """Plain values that JSON can hold."""
        return asdict(self)


def benchmark(source: str | Path, seconds: list[float], threads: list[int], repeats: int = 30,
              operators: bool = False) -> Benchmark:
    """Measures a model.

    Args:
        source: Name of a zoo model, folder of a training run, or path of a `.tflite` file.
        seconds: Lengths of audio to measure.
        threads: Numbers of threads to measure.
        repeats: Utterances timed for each, after three that are not.
        operators: Whether to time every operator of a `.tflite` file by itself, with the longest of the lengths.

    Raises:
        ValueError: The model can't be opened, or its operators were asked for and it isn't a `.tflite` file.
    """
    source, operator_times = str(source), []
    if source.endswith(".tflite"):
        from speechzoo.edge.artifact import read_artifact
        from speechzoo.exporters.network.macs import count_tflite_macs
        streaming = "stream" in read_artifact(source).spec
        size, macs = Path(source).stat().st_size, count_tflite_macs(source)
        if operators:
            from speechzoo.profiling.operators import time_operators
            operator_times = time_operators(source, max(seconds), repeats)
    elif operators:
        raise ValueError(f"{source}: operators are those of a .tflite file; export the model first")
    else:
        from speechzoo.multitask.macs import count_macs
        from speechzoo.opening import open_model
        model = open_model(source)
        size, macs, streaming = 4 * model.count_params(), count_macs(model), False
    timings = [_measure(source, length, number, repeats) for number in threads for length in seconds]
    streams = [_measure(source, 0, number, repeats) for number in threads] if streaming else []
    return Benchmark(source, round(size / 1e6, 3), macs, timings, streams, operator_times)


def _measure(source, seconds, threads, repeats) -> Timing | StreamTiming:
    """Figures of a process of its own; of the steps of a stream where `seconds` is 0."""
    request = {"source": source, "seconds": seconds, "threads": threads, "repeats": repeats}
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": str(threads),
                   "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": str(threads)}
    child = subprocess.run([sys.executable, "-m", "speechzoo.profiling.latency", json.dumps(request)],
                           capture_output=True, text=True, env=environment)
    if child.returncode:
        said = child.stderr.strip().splitlines()
        reason = said[-1] if said else f"exit code {child.returncode}"
        what = f"{seconds:g} s" if seconds else "a stream"
        raise ValueError(f"{source}: {what} on {threads} threads: {reason}")
    return (Timing if seconds else StreamTiming)(**json.loads(child.stdout.splitlines()[-1]))


def _run(source: str, seconds: float, threads: int, repeats: int) -> Timing:
    """The child's work."""
    start = time.perf_counter()
    if source.endswith(".tflite"):
        from speechzoo.edge.edge_model import EdgeModel
        model = EdgeModel(source, threads)
    else:
        from speechzoo.opening import open_model
        model = open_model(source)
    startup = time.perf_counter() - start

    import numpy as np

    samples = round(seconds * model.spec["sample_rate"])
    audio = (0.1 * np.random.default_rng(1).standard_normal(samples)).astype(np.float32)
    times = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        model.batch_outputs([audio])
        times.append(time.perf_counter() - start)
    times = np.array(times[3:])
    peak = _peak_megabytes()
    median = float(np.median(times))
    return Timing(seconds, threads, round(1e3 * median, 2), round(1e3 * float(np.percentile(times, 95)), 2),
                  round(median / seconds, 5), round(peak, 1), round(startup, 3))


def _run_stream(source: str, threads: int, repeats: int) -> StreamTiming:
    """The child's work: ten times as many steps as there would be utterances, because they are short."""
    import numpy as np

    from speechzoo.edge.edge_model import EdgeModel

    model = EdgeModel(source, threads)
    step, state = model.spec["stream"]["step_samples"], model.initial_state()
    samples = (0.1 * np.random.default_rng(1).standard_normal((1, step))).astype(np.float32)
    times = []
    for _ in range(10 * repeats + 10):
        start = time.perf_counter()
        _, state = model.stream_step(samples, state)
        times.append(time.perf_counter() - start)
    seconds = step / model.spec["sample_rate"]
    median, high = float(np.median(times[10:])), float(np.percentile(times[10:], 95))
    return StreamTiming(threads, round(seconds, 4), round(1e3 * median, 3), round(1e3 * high, 3),
                        round(median / seconds, 5), round(1e3 * (seconds + high), 1))


def _peak_megabytes() -> float:
    """Largest resident memory of this process."""
    status = Path("/proc/self/status")
    if status.is_file():
        # On Linux `ru_maxrss` counts what the parent held when it started this process; VmHWM doesn't.
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    _request = json.loads(sys.argv[1])
    if not _request["seconds"]:
        del _request["seconds"]
    print(json.dumps(asdict((_run if "seconds" in _request else _run_stream)(**_request))))
