"""Continuous audio, understood as it comes; runs where exported files run."""
