"""The models of a server, and what requests share."""

import time

from speechzoo.audio import is_longer
from speechzoo.decoding.pieces import LONGEST_PIECE
from speechzoo.decoding.recognition import Recognition
from speechzoo.names import nearest
from speechzoo.server.errors import RequestError
from speechzoo.server.limits import Limits
from speechzoo.server.metrics import Metrics
from speechzoo.server.served_model import Hearing, ServedModel, too_long
from speechzoo.server.work import Desk


class Service:
    """What requests ask.

    Args:
        models: In the order in which they are listed, one at least.
        grammars: Names of the grammars that may be asked for.
        limits: What a request may take.
        metrics: Where is counted.

    Attributes:
        models: Name -> model.
        desk: Where requests wait for their turn.
        streams: Where streams do.
        created: When the server started, seconds since 1970.
    """

    def __init__(self, models: list[ServedModel], grammars: list[str], limits: Limits, metrics: Metrics):
        self.models = {served.name: served for served in models}
        self.grammars, self.limits, self.metrics = grammars, limits, metrics
        self.desk, self.streams = Desk(limits.batch), Desk(max(limits.streams, 1))
        self.created = int(time.time())

    def find(self, name: str | None) -> ServedModel:
        """A model by its name; the first for None.

        Raises:
            RequestError: No such model.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise RequestError(404, f"no model '{name}'; {nearest(name, self.models)}", "model", "model_not_found")
        return self.models[name]

    def warm_up(self):
        """Makes the first request as fast as the others."""
        for served in self.models.values():
            served.warm_up()

    def recognize(self, hearing: Hearing, file, options: dict) -> Recognition:
        """The answers for an upload; what is longer than a piece is heard in pieces.

        Args:
            hearing: What the request hears with.
            file: Binary file object.
            options: As of `Recognizer.recognize`.

        Raises:
            AudioError, RequestError: The recording can't be used.
        """
        return hearing.recognize(self._checked(file), maximum_seconds=LONGEST_PIECE, **options)

    def pieces(self, hearing: Hearing, file, options: dict):
        """The pieces of an upload, as `recognize` joins them."""
        yield from hearing.recognize_pieces(self._checked(file), **options)

    def _checked(self, file) -> bytes:
        """The upload; only requests that are at work hold theirs in memory."""
        data = file.read()
        if is_longer(data, self.limits.seconds):
            raise too_long(self.limits.seconds)
        return data

    def close(self):
        """Ends all threads."""
        for desk in (self.desk, self.streams):
            desk.close()
        for served in self.models.values():
            served.batcher.close()
