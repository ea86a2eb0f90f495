"""What is wrong with a dialogue."""


class DialogueError(ValueError):
    """A dialogue, or a file of conversations, that can't be used; one line, `file:line:column: what is wrong; what to
    do`."""
