"""NeMo's Conformer-CTC and FastConformer-CTC: what an import makes of them, and what it refuses."""

import numpy as np
import pytest
import yaml

from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.network.flatbuffer import custom_operators
from speechzoo.exporters.tflite import export_tflite
from speechzoo.published.importing import import_published
from speechzoo.published.nemo_conformer import read_nemo
from speechzoo.published.weights_file import open_weights
from speechzoo.registry import load
from tests.helpers import tone
from tests.model_checks import check_export
from tests.published.tiny_nemo import (FAST, FULL, NUM_BLOCKS, VOCABULARY, nemo_arrays, nemo_config, tiny_nemo,
                                       write_nemo)

KINDS = pytest.mark.parametrize("encoder", [FULL, FAST], ids=["full", "fast"])


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Encoder's kind -> (report, model), each imported once."""
    found = {}

    def make(encoder):
        kind = encoder["subsampling"]
        if kind not in found:
            folder = tmp_path_factory.mktemp(kind)
            report = import_published(tiny_nemo(folder, encoder), folder / "imported")
            found[kind] = report, load(folder / "imported")
        return found[kind]

    return make


@KINDS
def test_every_array_becomes_a_weight_or_is_left_out(encoder, imported):
    report, model = imported(encoder)
    fast = encoder is FAST
    assert report.name == f"NeMo {'Fast' * fast}Conformer-CTC (a file that is not known)"
    assert (report.architecture, report.heads, report.licence) == ("conformer", ["transcript"], "NOASSERTION")
    names = list(nemo_arrays(nemo_config(encoder)))
    assert sorted([*report.used, *report.left_out]) == sorted(names) and len(set(report.used)) == len(report.used)
    reasons = {reason.partition(":")[0] for reason in report.left_out.values()}
    assert reasons == {"features", "batches"} and len(report.left_out) == 2 + NUM_BLOCKS
    assert not model.new_weights
    # All the weights of the model but the head's prior, which calibration measures.
    assert report.parameters == sum(np.size(weight) for weight in model.weights) - len(VOCABULARY) - 1
    config = yaml.safe_load((report.output / "config.yaml").read_text(encoding="utf-8"))
    assert config["frontend"] == {"type": "nemo_log_mel"}
    assert config["backbone"] == {
        "type": "conformer", "size": 16, "num_blocks": 3, "num_heads": 2, "feed_forward_size": 64, "kernel_size": 5,
        "subsampling": 8 if fast else 4, "subsampling_channels": 4, "separable_subsampling": fast}
    assert config["heads"] == {"transcript": {"type": "ctc", "units": ["<|unk|>", *VOCABULARY[1:]]}}


@KINDS
def test_it_writes_pieces(encoder, imported):
    _, model = imported(encoder)
    audio = np.concatenate([tone(0.7, 300 + 250 * seed, seed=seed) for seed in range(3)])
    recognition = model.recognize(audio)
    written = set("".join(VOCABULARY[1:]).replace("\u2581", ""))
    assert recognition.words and set(recognition.transcript) <= written | {" "}
    # An utterance in a batch with a longer one is what it is alone.
    short = audio[:12345]
    alone, padded = (model.batch_outputs(audios)[0]["transcript"] for audios in ([short], [short, audio]))
    np.testing.assert_allclose(padded[:len(alone)], alone, atol=1e-4)


@pytest.mark.parametrize("settings", [{"xscaling": False}, {"use_bias": False}, {"subsampling_conv_channels": -1}],
                         ids=str)
def test_settings_that_become_weights(settings, tmp_path):
    config = nemo_config({**FULL, **settings})
    described = config
    if -1 in settings.values():
        described = nemo_config({**FULL, "subsampling_conv_channels": 16})
    arrays = nemo_arrays(described)
    model = read_nemo(open_weights(write_nemo(tmp_path / "a.nemo", config, arrays)), "a.nemo")
    projection = arrays["encoder.pre_encode.out.bias"] * (1 if config["encoder"]["xscaling"] else 0.25)
    np.testing.assert_allclose(model.weights["backbone/subsampling/projection/bias"], projection, rtol=1e-6)
    key = model.weights["backbone/block_2/attention/key/bias"]
    assert key.shape == (16,) and key.any() == settings.get("use_bias", True)
    assert model.backbone["subsampling_channels"] == described["encoder"]["subsampling_conv_channels"]


def test_the_encoder_alone(tmp_path):
    model = read_nemo(open_weights(tiny_nemo(tmp_path)), "tiny.nemo", encoder_only=True)
    assert not model.heads and not any(path.startswith("transcript") for path in model.weights)
    left_out = {name for name, reason in model.left_out.items() if reason.startswith("decoder: ")}
    assert left_out == {"decoder.decoder_layers.0.weight", "decoder.decoder_layers.0.bias"}


@pytest.mark.parametrize("section, key, value, message", [
    (None, "target", "nemo.collections.asr.models.rnnt_bpe_models.EncDecRNNTBPEModel",
     "a EncDecRNNTBPEModel; of NeMo's models EncDecCTCModelBPE and EncDecCTCModel can be imported"),
    (None, "target", None, "a None; of NeMo's models"),
    (None, "encoder", [], "has no section 'encoder'; fetch it again"),
    (None, "tokenizer", {"type": "wpe"}, r"is not of SentencePiece .* import the encoder alone \(--encoder\)"),
    ("encoder", "conv_norm_type", "layer_norm", "encoder.conv_norm_type is layer_norm; this version has networks of "
                                                "batch_norm"),
    ("encoder", "att_context_size", [128, 128], r"encoder.att_context_size is \[128, 128\]; this version has networks"),
    ("encoder", "subsampling", "vggnet", "subsampling is vggnet; this version has networks of striding or dw_striding"),
    ("encoder", "mixture_of_experts", 4, "has encoder.mixture_of_experts, a setting that this version doesn't know"),
    ("encoder", "d_model", "16", "encoder.d_model is 16, where a whole number was expected"),
    ("encoder", "n_heads", 3, "3 heads and a size of 16"),
    ("encoder", "n_layers", 4, "has no 'encoder.layers.3.feed_forward1.linear1.weight'; only files of NeMo's"),
    ("encoder", "n_layers", 2, "40 arrays that a Conformer-CTC doesn't have, such as 'encoder.layers.2."),
    ("encoder", "xscaling", "${model.xscaling}", r"encoder.xscaling is \$\{model.xscaling\}; this version"),
    ("preprocessor", "normalize", "all_features", "normalize is all_features; this version has networks of per_feat"),
    ("preprocessor", "window_size", 0.02, "preprocessor.window_size is 0.02; this version has networks of 0.025"),
    ("preprocessor", "n_fft", ..., "its config doesn't state preprocessor.n_fft; this version has networks of 512"),
    ("decoder", "vocabulary", ["a", 1], "decoder.vocabulary is no list of texts"),
    ("decoder", "vocabulary", ["a"], r"'decoder.decoder_layers.0.weight' has the shape \[9, 16, 1\], where \[2,"),
    ("decoder", "vocabulary", ["a", *VOCABULARY[2:], "a"], "its vocabulary has a token twice"),
])
def test_another_network_is_one_clear_line(section, key, value, message, tmp_path):
    config = nemo_config()
    arrays = nemo_arrays(config)
    target = config if section is None else config[section]
    target.pop(key) if value is ... else target.update({key: value})
    check_refused(write_nemo(tmp_path / "a.nemo", config, arrays), message)


@pytest.mark.parametrize("name, change, message", [
    ("encoder.layers.0.self_attn.pos_bias_u", None, "has no 'encoder.layers.0.self_attn.pos_bias_u'; only files of"),
    ("joint.enc.weight", np.zeros(3, "f4"), "1 arrays that a Conformer-CTC doesn't have, such as 'joint.enc.weight'"),
    ("encoder.pre_encode.out.weight", np.zeros((16, 3), "f4"), r"has the shape \[16, 3\], where \[16, 80\] was"),
    ("encoder.layers.1.norm_out.bias", np.full(16, np.nan, "f4"), "holds numbers that are not finite"),
    ("encoder.layers.1.norm_out.bias", np.zeros(16, "i8"), "is quantised to int64"),
])
def test_another_array_is_one_clear_line(name, change, message, tmp_path):
    config = nemo_config()
    arrays = nemo_arrays(config)
    arrays.pop(name) if change is None else arrays.update({name: change})
    check_refused(write_nemo(tmp_path / "a.nemo", config, arrays), message)


def check_refused(path, message):
    with pytest.raises(ValueError, match=f"^{path}: .*{message}") as error:
        read_nemo(open_weights(path), str(path))
    assert "\n" not in str(error.value)


def test_a_file_without_its_config(tmp_path):
    for data, message in ((b"- 1\n", "its model_config.yaml is no YAML of settings"),
                          (b"a: [\n", "its model_config.yaml is no YAML of settings")):
        config = nemo_config()
        path = write_nemo(tmp_path / "a.nemo", config, nemo_arrays(config))
        content, original = path.read_bytes(), yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()
        path.write_bytes(content.replace(original, data + b"#" * (len(original) - len(data))))
        check_refused(path, message)


@pytest.mark.parametrize("encoder, quantize", [(FULL, "none"), (FAST, "none"), (FULL, "int8")],
                         ids=["full", "fast", "full int8"])
def test_it_leaves_as_tflite(encoder, quantize, imported, tmp_path):
    _, model = imported(encoder)
    exported = export_tflite(model, tmp_path, quantize)
    assert custom_operators(exported.path.read_bytes()) == []
    edge, audio = EdgeModel(exported.path), tone(1.3, 500, seed=2)
    assert edge.spec["heads"]["transcript"]["units"] == ["<|unk|>", *VOCABULARY[1:]]
    if quantize == "none":
        check_export(exported.path, model, (0.2, 1.0, 2.77))
        assert edge.recognize(audio).transcript == model.recognize(audio).transcript != ""
