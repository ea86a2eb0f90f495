"""Conversations over several turns: a state machine in YAML whose state is plain data; TensorFlow isn't needed."""
