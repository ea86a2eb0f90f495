"""What was recognised, as files: subtitles, tables and JSON of one recording or of many."""
