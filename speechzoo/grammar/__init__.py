"""Grammars of spoken commands: which sentences exist, and what each one means."""
