"""Every registered part has a tiny configuration, which tests over all parts take."""

import pytest

from speechzoo.backbones import BACKBONES
from speechzoo.frontends import FRONTENDS
from speechzoo.heads import HEADS
from speechzoo.multitask.sharing import SHARINGS
from tests import tiny_parts


@pytest.mark.parametrize("registry, tiny", [
    (FRONTENDS, tiny_parts.FRONTENDS), (BACKBONES, tiny_parts.BACKBONES), (HEADS, tiny_parts.HEADS),
    (SHARINGS, tiny_parts.SHARINGS)], ids=["frontends", "backbones", "heads", "sharings"])
def test_every_part_is_there(registry, tiny):
    assert set(tiny) == set(registry), "add a line to tests/tiny_parts.py"


def test_every_backbone_that_can_be_causal_is_there():
    for name, backbone in BACKBONES.items():
        assert ("causal" in backbone().get_config()) == (name in tiny_parts.STREAMING), name


@pytest.mark.parametrize("name", BACKBONES)
def test_heads_and_sharings_find_an_earlier_block(name):
    assert BACKBONES[name](**tiny_parts.BACKBONES[name]).num_blocks >= 2
