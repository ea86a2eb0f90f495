"""What goes wrong with recordings."""


class AudioError(ValueError):
    """A recording that can't be used; the message says which, what is wrong with it and what to do."""
