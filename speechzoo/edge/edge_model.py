"""Runs an exported `.tflite` file with LiteRT and NumPy; TensorFlow and Keras need not be installed."""

import functools
from pathlib import Path

import numpy as np

from speechzoo.decoding.heads import find_head
from speechzoo.decoding.recognition import select_heads
from speechzoo.decoding.recognizer import Recognizer
from speechzoo.decoding.streams.stream import Stream
from speechzoo.edge.artifact import ArtifactError, read_artifact
from speechzoo.edge.decode_step import DecodeStep
from speechzoo.edge.remarks import QuietRunner
from speechzoo.edge.signatures import DECODE_STEP, RECOGNIZE, STREAM_STEP


class EdgeModel(Recognizer):
    """An exported model on the device. One object serves one thread at a time.

    Args:
        path: The `.tflite` file that `speechzoo.export` wrote.
        threads: Threads of the interpreter.

    Attributes:
        spec: What decoding needs to read the outputs, as `Recognizer.spec` has it.
        artifact: Everything that travels with the network (`speechzoo.edge.artifact.Artifact`).
        signatures: Name -> {"inputs": [...], "outputs": [...]}: what the file can be asked. `recognize` answers every
            head; `stream_step` is a step of a stream; others answer some heads from fewer layers.

    Raises:
        ArtifactError: The file is missing, truncated, not a TFLite file or not written by speechzoo.

    Example:
        EdgeModel("mtl_conformer_small.tflite").recognize("turn_on_the_light.wav").transcript
    """

    def __init__(self, path: str | Path, threads: int = 1):
        from ai_edge_litert.interpreter import Interpreter

        if threads < 1:
            raise ValueError(f"threads must be 1 or more, got {threads}")
        self.path = Path(path)
        self.artifact = read_artifact(self.path)
        self.spec = self.artifact.spec
        try:
            # By path, not by content: the weights are mapped, not copied.
            self._interpreter = Interpreter(model_path=str(self.path), num_threads=threads)
            self.signatures = self._interpreter.get_signature_list()
            outputs = self.signatures[RECOGNIZE]["outputs"]
        except KeyError:
            raise ArtifactError(f"{self.path}: has no signature '{RECOGNIZE}'") from None
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(f"{self.path}: LiteRT can't run it: {' '.join(str(error).split())}") from None
        if set(outputs) != set(self.spec["heads"]):
            raise ArtifactError(f"{self.path}: its outputs {sorted(outputs)} are not the heads of its spec")
        self._runners = {}

    def batch_outputs(self, audios: list[np.ndarray], heads: list[str] | None = None) -> list[dict[str, np.ndarray]]:
        """The heads' outputs for several recordings, one after the other; see `Recognizer.batch_outputs`.

        Where the file has a signature that answers `heads` from fewer layers, the other heads are left out.

        Raises:
            ValueError: A recording of another shape than (samples,), or a head that the model doesn't have.
        """
        run = self._runner(self._cheapest(select_heads(self.spec, heads)["heads"]))
        answers = []
        for audio in audios:
            audio = np.asarray(audio, np.float32)
            if audio.ndim != 1:
                raise ValueError(f"audio of shape {audio.shape}: expected (samples,)")
            answers.append({name: output[0] for name, output in run(audio=self.completed(audio)[None]).items()})
        return answers

    @functools.cached_property
    def decode_steps(self) -> dict[str, DecodeStep]:
        """Head -> one step of its decoder, where the file has the signature `decode_step`."""
        head = find_head(self.spec, type="seq2seq")
        if head is None or DECODE_STEP not in self.signatures:
            return {}
        return {head: DecodeStep(self._runner(DECODE_STEP), self.spec["heads"][head]["cache"])}

    def completed(self, audio: np.ndarray) -> np.ndarray:
        """float32 (samples,) with silence behind it where it is shorter than the network needs."""
        return np.pad(audio, (0, max(0, self.artifact.minimum_samples - len(audio))))

    def stream(self, **options) -> Stream:
        """Hears a stream: feed it samples as they come, it says what is heard.

        Streams of one model don't touch each other: each has a state of its own.

        Args:
            **options: As of `speechzoo.decoding.streams.stream.Stream`: `decoder`, `commands`, `threshold`.

        Raises:
            ValueError: The file has no signature `stream_step`.
        """
        if STREAM_STEP not in self.signatures or "stream" not in self.spec:
            raise ValueError(f"{self.path}: has no signature '{STREAM_STEP}'; export a model whose name ends in "
                             "_streaming")
        return Stream(self.stream_step, self.initial_state(), self.spec, decode_steps=self.decode_steps, **options)

    def initial_state(self) -> dict[str, np.ndarray]:
        """The state of a stream that begins: zeros, by name."""
        details = self._runner(STREAM_STEP).get_input_details()
        return {name: np.zeros(detail["shape"], detail["dtype"]) for name, detail in details.items()
                if name != "samples"}

    def stream_step(self, samples: np.ndarray, state: dict[str, np.ndarray]) -> tuple[dict, dict]:
        """One step of a stream.

        Args:
            samples: float32 (1, step samples), as `spec["stream"]` says.
            state: As `initial_state` or the step before gave it.

        Returns:
            Head -> output with a batch axis; and the state for the next step.

        Raises:
            ValueError: The state of another model.
        """
        wanted = set(self.signatures[STREAM_STEP]["inputs"]) - {"samples"}
        if set(state) != wanted:
            odd = sorted(set(state) ^ wanted)[0]
            raise ValueError(f"the state {'lacks' if odd in wanted else 'has'} '{odd}': it is that of another model; "
                             "begin with initial_state()")
        answers = self._runner(STREAM_STEP)(samples=samples, **state)
        return ({name: value for name, value in answers.items() if name not in wanted},
                {name: value for name, value in answers.items() if name in wanted})

    def run(self, signature: str, **inputs) -> dict[str, np.ndarray]:
        """Asks the file what no other method does: the outputs of a signature, by name.

        Raises:
            ValueError: The file doesn't have the signature.
        """
        if signature not in self.signatures:
            raise ValueError(f"{self.path}: has no signature '{signature}'; it has: {', '.join(self.signatures)}; "
                             "choose them when you export (--signatures)")
        return self._runner(signature)(**inputs)

    def _runner(self, signature):
        if signature not in self._runners:
            self._runners[signature] = QuietRunner(self._interpreter.get_signature_runner(signature))
        return self._runners[signature]

    def _cheapest(self, heads):
        """The signature with the fewest outputs that hears an utterance and answers `heads`."""
        able = [name for name, signature in self.signatures.items()
                if signature["inputs"] == ["audio"] and set(heads) <= set(signature["outputs"])]
        return min(able, key=lambda name: len(self.signatures[name]["outputs"]))


def check_exported(model, purpose: str, signature: str):
    """Makes sure that a model is an exported file: no other can learn by a signature.

    Args:
        model: Any `Recognizer`.
        purpose: What exported files do with the signature, for the message.
        signature: What the file has to be exported with.

    Raises:
        ValueError: Another kind of model.
    """
    if not isinstance(model, EdgeModel):
        raise ValueError(f"exported files {purpose}: speechzoo export MODEL --format tflite --signatures {signature} "
                         "--out DIR")
