"""Models over HTTP: OpenAI's API for transcripts, which programs already speak, and our own for heads and streams."""
