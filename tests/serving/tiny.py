"""The tiny model exported and served once for all tests of this process."""

import atexit

from speechzoo.exporters.served.saved_model import export_saved_model
from tests.helpers import tone
from tests.tiny_models import tiny_model

_shared = {}


def exported(tmp_path_factory):
    """`.../models/tiny`, the folder of versions of the tiny model; version 1 is in it."""
    if "tiny" not in _shared:
        sounds = [tone(0.3, seed=1), tone(0.5, 700)]
        written = export_saved_model(tiny_model(), tmp_path_factory.mktemp("models"), sounds, card="# tiny\n")
        _shared["tiny"] = written.path.parent
    return _shared["tiny"]


def serving(tmp_path_factory):
    """A running stand-in that serves it as `tiny` and, for the commands of the kit, as `mtl_conformer_small`."""
    from tests.serving.stand_in import StandIn

    if "server" not in _shared:
        folder = exported(tmp_path_factory)
        _shared["server"] = StandIn({"tiny": folder, "mtl_conformer_small": folder}).__enter__()
        atexit.register(_shared["server"].__exit__)
    return _shared["server"]
