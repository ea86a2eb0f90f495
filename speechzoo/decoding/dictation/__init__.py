"""Any words of a lexicon: a search through their pronunciations under an n-gram."""
