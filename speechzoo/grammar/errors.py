"""What is wrong with a grammar."""

from collections.abc import Iterable


class GrammarError(ValueError):
    """A grammar that can't be used; one line, `file:line:column: what is wrong; what to do`.

    Where a file has several mistakes, the text is that of the first, with how many more there are.

    Attributes:
        problems: Each mistake as a line of its own, in the order of the file.
    """

    def __init__(self, message: str, place: tuple[int, int] = (0, 0)):
        super().__init__(message)
        self._found = [(place, message)]

    @classmethod
    def join(cls, errors: Iterable["GrammarError"]) -> "GrammarError":
        """One error of several, of which there is at least one; what is said twice is said once."""
        found = list(dict.fromkeys(found for error in errors for found in error._found))
        found.sort(key=lambda item: item[0])  # what has no place stands first: it may explain the rest
        more = len(found) - 1
        first = found[0][1]
        if more:
            first += f" (and {more} more mistake{'s' * (more > 1)}; speechzoo grammar FILE shows all)"
        joined = cls(first)
        joined._found = found
        return joined

    @property
    def problems(self) -> list[str]:
        return [message for _, message in self._found]


class Unspeakable(GrammarError):
    """Text that nobody can say, such as a sign or, where numbers aren't spelled out, a figure."""
