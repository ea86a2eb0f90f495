"""Speech without what sounds beside it: noise lowered by a model's gains, and a speaker's own sound cancelled."""

from speechzoo.enhancement.echo_canceller import EchoCanceller
from speechzoo.enhancement.enhancer import EnhancedStream, Enhancer

__all__ = ["EchoCanceller", "EnhancedStream", "Enhancer"]
