"""What the server counts, in Prometheus's form."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Counters of one server, whose names begin with `speechzoo_`, and its process's memory and processor time."""

    def __init__(self):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("speechzoo_requests", "Answered requests", ["path", "status"], registry=self.registry)
        self.seconds = Histogram("speechzoo_request_seconds", "From a request's first byte to the last of its answer",
                                 ["path"], buckets=_SECONDS, registry=self.registry)
        self.audio = Counter("speechzoo_audio_seconds", "Audio that was heard", ["model"], registry=self.registry)
        self.batches = Histogram("speechzoo_batch_size", "Recordings in a batch", ["model"],
                                 buckets=(1, 2, 4, 8, 16, 32), registry=self.registry)
        self.inside = Gauge("speechzoo_requests_inside", "Requests that are answered or wait", registry=self.registry)
        self.waiting = Gauge("speechzoo_model_waiting", "Recordings and steps that wait for a model", ["model"],
                             registry=self.registry)
        self.streams = Gauge("speechzoo_streams", "Streams that are open", registry=self.registry)

    def page(self) -> bytes:
        """What `/metrics` answers."""
        return generate_latest(self.registry)
