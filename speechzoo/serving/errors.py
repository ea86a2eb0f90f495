"""What can go wrong between a client and a model server."""


class ServingError(OSError):
    """The server answered, but not with what was asked for; the message is one line that says why."""


class ModelNotFoundError(ServingError):
    """The server doesn't serve this model or this version of it."""
