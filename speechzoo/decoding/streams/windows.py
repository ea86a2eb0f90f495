"""The windows of audio in which a wake word is sought, by a listener and by words that a device learns."""

WINDOW_SECONDS = 1.2
"""`WINDOW_SECONDS` is the length of a window."""
HOP_SECONDS = 0.2
"""`HOP_SECONDS` are between the beginnings of two windows."""
