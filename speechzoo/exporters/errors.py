"""What can go wrong when a model is exported."""


class ExportError(ValueError):
    """A model that can't be exported, or whose export doesn't give what the model gives; nothing was written."""
