"""An API over HTTP that programs already speak: OpenAI's for transcripts, and our own for every head and for streams."""
