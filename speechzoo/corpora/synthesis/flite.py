"""Flite: four talkers of CMU ARCTIC and KAL, compiled in; the fastest engine."""

from speechzoo.config import register
from speechzoo.corpora.synthesis.engine import ENGINES, Engine
from speechzoo.corpora.synthesis.voice import Voice, recorded_talker

# What is known of the recorded talkers: http://festvox.org/cmu_arctic and festvox's diphone voices.
_TALKERS = {"awb": ("male", "en-gb-scotland"), "bdl": ("male", "en-us"), "clb": ("female", "en-us"),
            "jmk": ("male", "en-ca"), "kal": ("male", "en-us"), "ked": ("male", "en-us"), "rms": ("male", "en-us"),
            "slt": ("female", "en-us")}
# The time of day only, and kal16 in half its band.
_LEFT_OUT = ("awb_time", "kal")


@register(ENGINES, "flite")
class Flite(Engine):
    """The voices that `flite -lv` lists."""

    program = "flite"
    packages = ("flite", "flite", "flite")

    def voices(self):
        if not self.installed():
            return []
        names = self.run("-lv").partition(":")[2].split()
        voices = []
        for name in sorted(set(names) - set(_LEFT_OUT)):
            talker = recorded_talker(name)
            gender, language = _TALKERS.get(talker, (None, "en"))
            voices.append(Voice("flite", name, talker, language, gender))
        return voices

    def speak(self, text, voice, rate):
        stretch = f"duration_stretch={1 / rate:.4f}"
        return self.record("-voice", voice.name, "--setf", stretch, "-o", "{wav}", text=text)
