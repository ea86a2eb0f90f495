"""eSpeak NG: small, rule-based, over a hundred variants of its voice in many accents."""

import re

from speechzoo.config import register
from speechzoo.corpora.synthesis.engine import ENGINES, Engine
from speechzoo.corpora.synthesis.voice import Voice

_GENDERS = {"F": "female", "M": "male"}
# Columns of its lists: priority, language, age/gender, name, file, other languages.
_LINE = re.compile(r"\s*\d+\s+(\S+)\s+\S*/(\S)\s+\S+\s+(.+?)\s*(\(.*)?")
# Sound effects rather than people: robots, whispers, an echo, a speed that nobody speaks at.
_EFFECTS = {"Demonic", "UniRobot", "anikaRobot", "announcer", "croak", "fast", "whisper", "whisperf"}
# In version 1.51 they sound exactly as `caleb` does.
_TWINS = {"klatt", "klatt6"}
_WORDS_PER_MINUTE = 175
# Of 200; at its own 100 the loudest variants clip.
_AMPLITUDE = 60


@register(ENGINES, "espeak-ng")
class EspeakNg(Engine):
    """Every English accent with every variant, such as `en-us+f3`. Voices that need MBROLA's data are left out."""

    program = "espeak-ng"
    packages = ("espeak-ng", "espeak-ng", "espeak-ng")

    def voices(self):
        if not self.installed():
            return []
        accents = {file: language for language, _, file in self._list("en") if not file.startswith(("mb/", "!v/"))}
        genders = {file.removeprefix("!v/"): gender for _, gender, file in self._list("variant")}
        variants = sorted(genders.keys() - _EFFECTS - _TWINS)
        return [Voice("espeak-ng", f"{language}+{variant}", variant, language, _GENDERS.get(genders[variant]))
                for language in sorted(set(accents.values())) for variant in variants]

    def speak(self, text, voice, rate):
        speed = ("-s", str(round(_WORDS_PER_MINUTE * rate)), "-a", str(_AMPLITUDE))
        return self.record("-v", voice.name, *speed, "--stdin", "-w", "{wav}", text=text)

    def _list(self, language) -> list[tuple[str, str, str]]:
        """(language, gender, file) of the voices of a language."""
        lines = map(_LINE.fullmatch, self.run(f"--voices={language}").splitlines()[1:])
        return [(line[1], line[2], line[3]) for line in lines if line]
