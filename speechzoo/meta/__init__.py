"""Learning to learn: models that take new classes from a few recordings of each."""

from speechzoo.meta.running import MetaResult, meta_train
from speechzoo.meta.settings import MetaSettings
from speechzoo.meta.words import learn_words

__all__ = ["MetaResult", "MetaSettings", "learn_words", "meta_train"]
