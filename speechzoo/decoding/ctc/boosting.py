"""Favouring phrases in the ordinary transcript: names, songs, places."""

from collections.abc import Iterable

from speechzoo.text.units import WORD_START


class PhraseBoost:
    """A bonus for phrases, for `BeamSearch`.

    Phrases are matched word by word against all that is written, with the automaton of Aho & Corasick 1975. A phrase
    under way has part of its bonus, by the share of its letters that are written, so that the beam keeps it; what it
    has is taken back if it goes on otherwise.

    Args:
        phrases: Words as transcripts are written: lower case, single spaces.
        bonus: Nats for each time that one of them is written whole; below 0 to avoid them.

    Attributes:
        start: State before anything is written.

    Raises:
        ValueError: No phrases.

    Example:
        >>> boost = PhraseBoost(["hey jude"], bonus=4.5)
        >>> state, so_far = boost.step(boost.start, "hey")
        >>> so_far
        1.5
        >>> boost.step(state, " you")[1]
        -1.5
    """

    def __init__(self, phrases: Iterable[str], bonus: float = 4.0):
        self.start = 1
        self._next: list[dict[str, int]] = [{}]
        self._earned = [0.0]  # of a state: the bonus for what is under way
        self._whole = [0.0]  # of a state: the bonus for what is complete
        for phrase in phrases:
            letters = f" {' '.join(phrase.lower().split())} "
            if letters.isspace():
                continue
            state = 0
            for count, letter in enumerate(letters):
                if letter not in self._next[state]:
                    self._next[state][letter] = len(self._next)
                    self._next.append({})
                    self._earned.append(0.0)
                    self._whole.append(0.0)
                state = self._next[state][letter]
                # Between two phrases that begin alike: what both have for certain.
                share = bonus * count / (len(letters) - 1)
                self._earned[state] = share if not self._earned[state] else min(self._earned[state], share, key=abs)
            self._whole[state] = bonus
        if len(self._next) == 1:
            raise ValueError("no phrases to boost")
        self._fall_back()

    def _fall_back(self):
        """Gives every state its longest ending that begins a phrase too."""
        self._fallback = [0] * len(self._next)
        for state, arcs in self._breadth_first():
            for letter, target in arcs.items():
                self._fallback[target] = self._follow(self._fallback[state], letter) if state else 0
        # A whole phrase has its bonus for good, so what remains under way is only what it begins next.
        for state, whole in enumerate(self._whole):
            if whole:
                self._earned[state] = self._earned[self._fallback[state]]

    def _breadth_first(self):
        waiting = [0]
        for state in waiting:  # grows under way
            yield state, self._next[state]
            waiting.extend(self._next[state].values())

    def _follow(self, state: int, letter: str) -> int:
        while letter not in self._next[state] and state:
            state = self._fallback[state]
        return self._next[state].get(letter, 0)

    def step(self, state: int, text: str) -> tuple[int, float]:
        """Writes more.

        Args:
            state: Where the text before has led.
            text: What is written now; a space, or a piece's mark, ends a word.

        Returns:
            Where it leads, and what it changes of the bonus, nats.
        """
        gain = 0.0
        for letter in text.replace(WORD_START, " "):
            target = self._follow(state, letter)
            gain += self._earned[target] - self._earned[state]
            # Phrases that end here: this one, and those that it ends with.
            ending = target
            while ending:
                gain += self._whole[ending]
                ending = self._fallback[ending]
            state = target
        return state, gain

    def finish(self, state: int) -> float:
        """What the end of the text changes of the bonus: it ends the last word, and what is under way is not to be."""
        ended, gain = self.step(state, " ")
        return gain - self._earned[ended]
