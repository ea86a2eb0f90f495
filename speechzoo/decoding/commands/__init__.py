"""Commands under a grammar: a grammar becomes a graph of units, and the best path through it an intent and slots."""
