"""A zoo of multi-task speech models: one backbone listens once, many heads answer.

Importing this package imports no TensorFlow; each public name loads what it needs when it is first used.

Example:
    >>> import speechzoo
    >>> sorted(speechzoo.list_models(head="keyword"))  # doctest: +SKIP
    ['mtl_conformer_small', 'mtl_ds_cnn_micro']
"""

import importlib
import os
import sys

if sys.version_info < (3, 11):
    raise ImportError("speechzoo needs Python 3.11 or 3.12, and this is "
                      f"{sys.version_info[0]}.{sys.version_info[1]}: install one of them, and speechzoo in it")

from speechzoo.multitask.keras_classes import register_when_keras_is_imported

__version__ = "0.1.0"

# Public name -> the module that defines it.
_PUBLIC = {
    "load": "speechzoo.registry",
    "save": "speechzoo.registry",
    "list_models": "speechzoo.registry",
    "describe": "speechzoo.registry",
    "load_config": "speechzoo.config",
    "ZooConfig": "speechzoo.config",
    "MultiTaskModel": "speechzoo.multitask.model",
    "Recognition": "speechzoo.decoding.recognition",
    "load_grammar": "speechzoo.grammar.reading",
    "CommandDecoder": "speechzoo.decoding.commands.decoder",
    "load_audio": "speechzoo.audio",
    "train": "speechzoo.training.trainer",
    "evaluate": "speechzoo.evaluation",
    "export": "speechzoo.exporters",
    "publish": "speechzoo.publishing.publish",
    "EdgeModel": "speechzoo.edge.edge_model",
    "Voices": "speechzoo.edge.voices",
    "CustomWords": "speechzoo.edge.custom_words",
    "Owner": "speechzoo.edge.owner",
}
__all__ = sorted(_PUBLIC)

# TensorFlow writes a dozen lines about the machine when it is imported, with its errors among them. Whoever has set
# something else keeps it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
register_when_keras_is_imported()


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'speechzoo' has no attribute '{name}'; it has: {', '.join(__all__)}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__():
    return __all__
