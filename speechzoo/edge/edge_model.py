"""Runs an exported `.tflite` file with LiteRT and NumPy; TensorFlow and Keras need not be installed."""

from pathlib import Path

import numpy as np

from speechzoo.audio import load_audio
from speechzoo.decoding.commands.decoder import command_decoder
from speechzoo.decoding.recognition import MAXIMUM_SECONDS, Recognition, recognize_outputs, select_heads
from speechzoo.decoding.streams.stream import Stream
from speechzoo.edge.artifact import ArtifactError, read_artifact

SIGNATURE = "recognize"
STREAM_STEP = "stream_step"


class EdgeModel:
    """An exported model on the device. One object serves one thread at a time.

    Args:
        path: The `.tflite` file that `speechzoo.export` wrote.
        threads: Threads of the interpreter.

    Attributes:
        spec: What decoding needs to read the outputs, as `MultiTaskModel.spec()` gives it.
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
            outputs = self.signatures[SIGNATURE]["outputs"]
        except KeyError:
            raise ArtifactError(f"{self.path}: has no signature '{SIGNATURE}'") from None
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(f"{self.path}: LiteRT can't run it: {' '.join(str(error).split())}") from None
        if set(outputs) != set(self.spec["heads"]):
            raise ArtifactError(f"{self.path}: its outputs {sorted(outputs)} are not the heads of its spec")
        self._runners = {}

    def outputs(self, audio: np.ndarray, heads: list[str] | None = None) -> dict[str, np.ndarray]:
        """Every head's output for one utterance: arrays without the batch axis, by name.

        Args:
            audio: float32 (samples,) in [-1, 1] at the model's sample rate.
            heads: Heads that are needed; where the file has a signature that answers them from fewer layers, the others
                are left out. All when None.

        Raises:
            ValueError: Another shape, or longer than `MAXIMUM_SECONDS`.
        """
        audio = np.asarray(audio, np.float32)
        if audio.ndim != 1:
            raise ValueError(f"audio of shape {audio.shape}: expected (samples,)")
        seconds = len(audio) / self.spec["sample_rate"]
        if seconds > MAXIMUM_SECONDS:
            raise ValueError(f"{seconds:.0f} s of audio at once; at most {MAXIMUM_SECONDS:g} s fit: recognize it "
                             "in parts")
        run = self._runner(self._cheapest(heads))
        return {name: output[0] for name, output in run(audio=self.completed(audio)[None]).items()}

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
        return Stream(self.stream_step, self.initial_state(), self.spec, **options)

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
            self._runners[signature] = self._interpreter.get_signature_runner(signature)
        return self._runners[signature]

    def _cheapest(self, heads):
        """The signature with the fewest outputs that hears an utterance and answers `heads`."""
        able = [name for name, signature in self.signatures.items()
                if signature["inputs"] == ["audio"] and set(heads or self.spec["heads"]) <= set(signature["outputs"])]
        return min(able, key=lambda name: len(self.signatures[name]["outputs"]))

    def recognize(self, audio, sample_rate: int | None = None, heads: list[str] | None = None,
                  grammar=None, **decoding) -> Recognition:
        """What was said, by whom and how, as far as the model has heads for it.

        Args:
            audio: Path, bytes of an audio file, or array (samples,) or (samples, channels).
            sample_rate: Hz of an array; the model's own when None.
            heads: Heads to answer; all when None.
            grammar: Spoken commands, which answer `intent` and `slots`: name or path of a grammar, or whatever else a
                `CommandDecoder` takes. Make the CommandDecoder yourself where recordings follow: it takes a second.
            **decoding: As `speechzoo.decoding.recognition.recognize_outputs`.

        Raises:
            AudioError: The audio can't be read, or is longer than 120 s; read parts of it with
                `speechzoo.audio.load_audio(path, start=..., duration=...)`.
            TypeError: `audio` is neither a path nor bytes nor an array.
            GrammarError: A grammar that can't be read.
            ValueError: A head that the model doesn't have, or a grammar that it can't decode.
        """
        spec = select_heads(self.spec, heads)
        rate = spec["sample_rate"] if sample_rate is None else sample_rate
        source = (audio, rate) if isinstance(audio, np.ndarray) else audio
        samples = load_audio(source, spec["sample_rate"], maximum_seconds=MAXIMUM_SECONDS)
        if grammar is not None:
            decoding["commands"] = command_decoder(grammar, self.spec)
        # A decoder reads heads of its own.
        needed = None if decoding else heads
        return recognize_outputs(self.outputs(samples, needed), spec, **decoding)
