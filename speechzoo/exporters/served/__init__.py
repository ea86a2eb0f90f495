"""What a server runs: SavedModel, decoding in the graph, warm-up."""
