"""The windows of audio in which a wake word is sought, by a listener and by words that a device learns."""

WINDOW_SECONDS = 1.2
"""Length of a window."""
HOP_SECONDS = 0.2
"""From the beginning of one window to that of the next."""
