"""How much a model computes, how long it takes and how much memory."""
