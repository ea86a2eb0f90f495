"""Festival: diphone and statistical voices, each a package."""

from speechzoo.config import register
from speechzoo.corpora.synthesis.engine import ENGINES, Engine
from speechzoo.corpora.synthesis.voice import Voice, recorded_talker

_LIST = """(mapcar (lambda (voice)
  (let ((about (cadr (voice.description voice))))
    (format t "%s %s %s %s\\n" voice (cadr (assoc 'language about)) (cadr (assoc 'gender about))
            (cadr (assoc 'dialect about)))))
  (voice.list))"""
_DIALECTS = {"american": "en-us", "british": "en-gb", "scottish": "en-gb-scotland"}
# Statistical voices take their speed from the engine's parameter -r, the others from Duration_Stretch.
_SPEAK = """(voice_{voice})
(Parameter.set 'Duration_Stretch {stretch:.4f})
(if (symbol-bound? 'hts_engine_params)
    (set! hts_engine_params (cons '("-r" {rate:.4f}) hts_engine_params)))
(utt.save.wave (utt.synth (Utterance Text "{text}")) "{{wav}}" 'riff)
"""


@register(ENGINES, "festival")
class Festival(Engine):
    """The English voices that Festival finds."""

    program = "festival"
    packages = ("festival festvox-kallpc16k festvox-us-slt-hts", "festival festvox-slt-arctic-hts", None)

    def voices(self):
        if not self.installed():
            return []
        voices = []
        for line in sorted(self.run("--pipe", text=_LIST).splitlines()):
            name, language, gender, dialect = (line.split() + [""] * 4)[:4]
            if language == "english":
                voices.append(Voice("festival", name, recorded_talker(name), _DIALECTS.get(dialect, "en"),
                                    gender if gender in ("female", "male") else None))
        return voices

    def speak(self, text, voice, rate):
        # The text becomes part of a program.
        text = "".join(letter for letter in text if letter not in '"\\')
        program = _SPEAK.format(voice=voice.name, stretch=1 / rate, rate=rate, text=text)
        return self.record("--pipe", text=program)
