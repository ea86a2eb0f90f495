"""Weights that others have published: their files, read without their libraries, as weights of this zoo."""
