"""Piper: neural voices, each a file that its user has downloaded."""

import json
from pathlib import Path

from speechzoo.config import register
from speechzoo.corpora.synthesis.engine import ENGINES, Engine, EngineError
from speechzoo.corpora.synthesis.voice import Voice


@register(ENGINES, "piper")
class Piper(Engine):
    """Voices in files `NAME.onnx` with `NAME.onnx.json` beside them; of a file with several speakers, each is one.

    Args:
        files: Paths of the `.onnx` files.
    """

    program = "piper"
    packages = (None, None, None)

    def __init__(self, files: tuple[str, ...] = ()):
        self.files = files

    def voices(self):
        voices = []
        for path in self.files:
            if not Path(path).is_file():
                raise EngineError(f"{path}: no such voice file")
            try:
                about = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
                speakers = int(about.get("num_speakers", 1))
                language = str(about.get("language", {}).get("code", "en")).replace("_", "-").lower()
            except (OSError, ValueError, AttributeError, TypeError):
                raise EngineError(f"{path}.json: missing, or not the description that Piper keeps beside a voice"
                                  ) from None
            names = [f"{Path(path).stem}#{number}" for number in range(speakers)]
            voices += [Voice("piper", name, name, language, path=str(path)) for name in names]
        if voices and not self.installed():
            raise EngineError("piper isn't installed: pip install piper-tts")
        return voices

    def speak(self, text, voice, rate):
        speaker = voice.name.rpartition("#")[2]
        # Without noise it says the same every time; these spellings are those of both its C++ and its Python program.
        return self.record("--model", voice.path, "--speaker", speaker, "--length_scale", f"{1 / rate:.4f}",
                           "--noise_scale", "0", "--noise_w", "0", "--output_file", "{wav}", text=f"{text}\n")
