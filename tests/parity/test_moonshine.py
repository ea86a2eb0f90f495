"""Imported Moonshine encoders against transformers: same files, same numbers."""

import numpy as np
import pytest

from speechzoo.layers.transformer import normalize_channels
from speechzoo.published.importing import import_published
from tests.published.test_moonshine import built, difference
from tests.published.tiny_wav2vec2 import babble

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch", reason="no PyTorch: pip install speechzoo[parity]")
transformers = pytest.importorskip("transformers", reason="no transformers: pip install speechzoo[parity]")

# Ten times what was observed, as a share of the greatest value: at most 9.8e-7.
TOLERANCE = 9.8e-6


@pytest.mark.parametrize("size, heads, share", [(32, 4, 0.85), (48, 4, 0.7)])
def test_equals_transformers(size, heads, share, tmp_path):
    torch.manual_seed(0)
    settings = {"rope_theta": 10000.0, "partial_rotary_factor": share, "rope_type": "default"}
    model = transformers.MoonshineForConditionalGeneration(transformers.MoonshineConfig(
        hidden_size=size, intermediate_size=40, encoder_num_hidden_layers=3, decoder_num_hidden_layers=1,
        encoder_num_attention_heads=heads, decoder_num_attention_heads=heads, vocab_size=20, pad_token_id=0,
        initializer_range=0.2, rope_parameters=settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path / "published")
    report = import_published(tmp_path / "published", tmp_path / "imported")
    assert {name.split(".")[1] for name in report.left_out} <= {"decoder", "weight"}
    frontend, backbone = built(tmp_path / "imported")
    for samples in (895, 16000, 48137):
        audio = babble(4.0, seed=samples)[:samples]
        blocks = []
        hooks = [layer.register_forward_hook(lambda _, __, output: blocks.append(output[0].numpy()))
                 for layer in model.model.encoder.layers]
        with torch.no_grad():
            last = model.model.encoder(torch.tensor(audio)[None]).last_hidden_state[0].numpy()
        for hook in hooks:
            hook.remove()
        frames, _ = backbone(*frontend(audio[None], None))
        found = [difference(frame[0], normalize_channels(block)) for frame, block in zip(frames[:-1], blocks)]
        found.append(difference(frames[-1][0], last))
        assert max(found) < TOLERANCE, found
