"""How good answers are. NumPy and jiwer only, so that the same figures come from every framework and device."""
