"""What is wrong with a config."""


class ConfigError(ValueError):
    """A config that can't be used; the message names the file, the key and the remedy."""
