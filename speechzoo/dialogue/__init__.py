"""Conversations over several turns: a state machine in YAML, whose state is plain data; runs where exported files run."""
