"""What is wrong with a grammar."""


class GrammarError(ValueError):
    """A grammar that can't be used; one line, `file:line:column: what is wrong; what to do`."""
