"""Text turned into words: what corpora, grammars and lexicons mean by a word, in one place."""
