"""The special tokens of a `seq2seq` head, by what their names say."""

import functools
import re
from dataclasses import dataclass

import numpy as np

from speechzoo.text.units import is_special

TASKS = ("transcribe", "translate")
"""`TASKS` are what a multilingual decoder can be asked for: the words as they were said, or in English."""
_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
_SECONDS = re.compile(r"<\|([0-9]+\.[0-9]+)\|>")
_NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")  # one token, which has changed its name


@dataclass(frozen=True)
class SpecialTokens:
    """What a head's special tokens are for (Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 2.3).

    Attributes:
        start: What decoding begins with. One with a task is a multilingual decoder's, where the language comes second.
        end: Ends the text.
        special: int (specials,): every token that is no text.
        languages: ISO 639 code -> token; empty where the decoder knows one language only.
        tasks: Of `TASKS` -> token; empty in the same case.
        no_speech: How probable this is after the first token says how sure the decoder is that nobody speaks; or None.
        no_timestamps: Says that no timestamps follow; or None.
        timestamps: Token -> seconds, by rising time.
    """

    start: list[int]
    end: int
    special: np.ndarray
    languages: dict[str, int]
    tasks: dict[str, int]
    no_speech: int | None
    no_timestamps: int | None
    timestamps: dict[int, float]

    @classmethod
    def of(cls, head_spec: dict) -> "SpecialTokens":
        """Those of a head of type `seq2seq`.

        Raises:
            ValueError: A start or an end that the head has no token for.
        """
        named = _named(tuple(head_spec["units"]))
        size, start, end = len(head_spec["units"]), list(head_spec["start"]), head_spec["end"]
        if not start or any(not 0 <= token < size for token in (*start, end)):
            raise ValueError(f"start {start} and end {end} must be tokens of the head, 0 to {size - 1}")
        tasks = {task: named[f"<|{task}|>"] for task in TASKS if f"<|{task}|>" in named}
        multilingual = bool(set(tasks.values()) & set(start))
        languages = {match[1]: token for unit, token in named.items() if (match := _LANGUAGE.fullmatch(unit))}
        seconds = {token: float(match[1]) for unit, token in named.items() if (match := _SECONDS.fullmatch(unit))}
        return cls(start, end, np.array(sorted({*named.values(), end}), int), languages if multilingual else {},
                   tasks if multilingual else {}, next((named[name] for name in _NO_SPEECH if name in named), None),
                   named.get("<|notimestamps|>"), dict(sorted(seconds.items(), key=lambda pair: pair[1])))

    def start_with(self, task: str | None, timestamps: bool) -> list[int]:
        """The start without a language, for a task and with or without timestamps.

        Raises:
            ValueError: The decoder wasn't trained for it.
        """
        start = [token for token in self.start if token not in self.languages.values()]
        if task is not None:
            if task not in self.tasks:
                raise ValueError(f"the decoder can't {task}; it knows "
                                 f"{', '.join(self.tasks) or 'one language, and writes what was said'}")
            start = [self.tasks[task] if token in self.tasks.values() else token for token in start]
        if timestamps:
            if not self.timestamps:
                raise ValueError("the decoder has no timestamps; leave timestamps out")
            start = [token for token in start if token != self.no_timestamps]
        return start

    def language_of(self, language: str) -> int:
        """A language's token.

        Raises:
            ValueError: The decoder doesn't know the language.
        """
        if language not in self.languages:
            known = f"it knows {', '.join(sorted(self.languages))}" if self.languages else "it knows one language only"
            raise ValueError(f"the decoder doesn't know the language '{language}'; {known}")
        return self.languages[language]


@functools.lru_cache(maxsize=4)
def _named(units: tuple[str, ...]) -> dict[str, int]:
    """Special unit -> token."""
    # Most of a large vocabulary is text: a look at the first character is enough to pass it over.
    return {unit: token for token, unit in enumerate(units) if unit[:1] == "<" and is_special(unit)}
