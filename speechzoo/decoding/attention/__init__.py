"""Text from decoders that attend to frames, one token after the other: search, its rules, and when words were said."""
