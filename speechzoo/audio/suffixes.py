"""How names of recordings end."""

AUDIO_SUFFIXES = (".wav", ".wave", ".w64", ".rf64", ".bwf", ".flac", ".ogg", ".oga", ".opus", ".spx", ".mp3", ".mp2",
                  ".mpga", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".sph", ".nist", ".voc")
# Recordings that have to be converted first.
OTHER_AUDIO_SUFFIXES = (".m4a", ".m4b", ".mp4", ".aac", ".3gp", ".amr", ".wma", ".webm", ".weba", ".mka", ".mkv",
                        ".mov", ".avi", ".ac3", ".ape", ".wv", ".dsf")
