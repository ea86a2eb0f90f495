"""Runs an exported `.tflite` file with LiteRT and NumPy; TensorFlow and Keras need not be installed."""

from pathlib import Path

import numpy as np

from speechzoo.audio import load_audio
from speechzoo.decoding.commands import command_decoder
from speechzoo.decoding.recognition import MAXIMUM_SECONDS, Recognition, recognize_outputs, select_heads
from speechzoo.edge.artifact import ArtifactError, read_artifact

SIGNATURE = "recognize"


class EdgeModel:
    """An exported model on the device. One object serves one thread at a time.

    Args:
        path: The `.tflite` file that `speechzoo.export` wrote.
        threads: Threads of the interpreter.

    Attributes:
        spec: What decoding needs to read the outputs, as `MultiTaskModel.spec()` gives it.
        artifact: Everything that travels with the network (`speechzoo.edge.artifact.Artifact`).

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
            outputs = self._interpreter.get_signature_list()[SIGNATURE]["outputs"]
        except KeyError:
            raise ArtifactError(f"{self.path}: has no signature '{SIGNATURE}'") from None
        except (ValueError, RuntimeError) as error:
            raise ArtifactError(f"{self.path}: LiteRT can't run it: {' '.join(str(error).split())}") from None
        if set(outputs) != set(self.spec["heads"]):
            raise ArtifactError(f"{self.path}: its outputs {sorted(outputs)} are not the heads of its spec")
        self._run = self._interpreter.get_signature_runner(SIGNATURE)

    def outputs(self, audio: np.ndarray) -> dict[str, np.ndarray]:
        """Every head's output for one utterance: arrays without the batch axis, by name.

        Args:
            audio: float32 (samples,) in [-1, 1] at the model's sample rate.

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
        audio = np.pad(audio, (0, max(0, self.artifact.minimum_samples - len(audio))))
        return {name: output[0] for name, output in self._run(audio=audio[None]).items()}

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
        return recognize_outputs(self.outputs(samples), spec, **decoding)
