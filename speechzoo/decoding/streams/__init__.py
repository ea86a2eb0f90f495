"""Audio that comes in steps: cut into blocks, and outputs gathered into events."""
