"""What speaker encoders of others are made of exports: mirrored convolutions, and both their ways to one embedding."""

from speechzoo.exporters.tflite import export_tflite
from tests.helpers import tone
from tests.model_checks import check_export
from tests.tiny_models import build, tiny


def test_float32_gives_what_keras_gives_in_builtin_operators(tmp_path):
    heads = {name: {"type": "speaker", "embedding_size": 6, "pooling": name}
             for name in ("channel_attentive", "embeddings")}
    model = build(tiny(frontend="speechbrain_fbank", backbone={"type": "ecapa_tdnn", "mirrored": True}, heads=heads))
    written = export_tflite(model, tmp_path, "none", [tone(0.5, 300, seed=1), tone(0.7, 900, seed=2)])
    check_export(written.path, model)
