"""CTC: from frames to units and words, greedily or by beam search, with times."""
