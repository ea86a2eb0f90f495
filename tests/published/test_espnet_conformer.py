"""ESPnet's Conformer: what an import makes of it, and what it refuses."""

import numpy as np
import pytest
import yaml

from speechzoo.edge.edge_model import EdgeModel
from speechzoo.exporters.tflite import export_tflite
from speechzoo.published.espnet_conformer import read_espnet
from speechzoo.published.importing import import_published
from speechzoo.published.settings import MAXIMUM_BYTES
from speechzoo.published.weights_file import open_weights
from speechzoo.registry import load
from speechzoo.text.tokens import make_tokens
from tests.helpers import tone
from tests.model_checks import check_export
from tests.published.tiny_espnet import (DECODER_BLOCKS, DECODER_HEADS, INNER, NUM_BLOCKS, SIZE, TOKENS, espnet_arrays,
                                         espnet_config, write_espnet)
from tests.yaml_bombs import BOMBS

UNITS = ["<|unk|>", "\u2581the", "e", "\u2581", "s", "t", "'"]
HEADS = {
    "transcript": {"type": "seq2seq", "units": ["<|blank|>", *UNITS, "<|endoftext|>"], "start": ["<|endoftext|>"],
                   "layers": DECODER_BLOCKS, "size": SIZE, "num_heads": DECODER_HEADS, "feed_forward_size": INNER,
                   "activation": "relu", "positions": "sinusoids", "tied": False, "epsilon": 1e-12,
                   "maximum_tokens": 3000},
    "ctc": {"type": "ctc", "units": [*UNITS, "<|sos/eos|>"], "label": "transcript"}}


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder, config = tmp_path_factory.mktemp("espnet"), espnet_config()
    report = import_published(write_espnet(folder / "exp", config, espnet_arrays(config)), folder / "imported")
    return report, load(folder / "imported")


def test_every_array_becomes_a_weight_or_is_left_out(imported):
    report, model = imported
    assert report.name == "ESPnet Conformer (a file that is not known)" and report.heads == ["transcript", "ctc"]
    assert sorted([*report.used, *report.left_out]) == sorted(espnet_arrays(espnet_config()))
    reasons = sorted(reason.partition(":")[0] for reason in report.left_out.values())
    assert reasons == ["batches"] * NUM_BLOCKS + ["biases of the keys"] * 2 * DECODER_BLOCKS + ["features"]
    # All the weights of the model but the CTC head's prior, which calibration measures.
    assert report.parameters == sum(np.size(weight) for weight in model.weights) - len(TOKENS)
    config = yaml.safe_load((report.output / "config.yaml").read_text(encoding="utf-8"))
    assert config["frontend"] == {"type": "espnet_log_mel", "num_mel_bins": 80, "window_seconds": 0.025,
                                  "hop_seconds": 0.01}
    assert config["backbone"] == {"type": "espnet_conformer", "size": 16, "num_blocks": 3, "num_heads": 2,
                                  "feed_forward_size": 24, "kernel_size": 5}
    assert config["heads"] == HEADS


def test_it_writes_text_and_leaves_as_tflite(imported, tmp_path):
    _, model = imported
    audio = np.concatenate([tone(0.7, 300 + 250 * seed, seed=seed) for seed in range(3)])
    short = audio[:12345]
    alone, padded = (model.batch_outputs(audios)[0]["transcript"] for audios in ([short], [short, audio]))
    np.testing.assert_allclose(padded[:len(alone)], alone, atol=1e-4)
    exported = export_tflite(model, tmp_path)
    check_export(exported.path, model, (0.05, 1.0, 2.77))
    assert EdgeModel(exported.path).recognize(audio).transcript == model.recognize(audio).transcript != ""


def test_statistics_of_the_utterance(tmp_path):
    config = espnet_config({"hop_length": 128, "win_length": None}, "utterance_mvn")
    path = write_espnet(tmp_path, config, espnet_arrays(config))
    model = read_espnet(open_weights(path), "x", tmp_path / "config.yaml", encoder_only=True)
    assert model.frontend == {"type": "espnet_log_mel", "num_mel_bins": 80, "window_seconds": 0.032,
                              "hop_seconds": 0.008, "normalization": "utterance"}
    assert not model.heads and not any(name.startswith(("frontend", "transcript")) for name in model.weights)


@pytest.mark.parametrize("section, key, value, message", [
    (None, "encoder", "branchformer", "its encoder is branchformer; this version has networks of conformer"),
    (None, "normalize", None, "its normalize is None; this version has networks of global_mvn or utterance_mvn"),
    (None, "token_list", "tokens.txt", "token_list is no list of texts"),
    (None, "token_list", TOKENS[:4], r"'decoder.embed.0.weight' has the shape \[9, 16\], where \[4, 16\] was expected"),
    (None, "token_type", "phn", "token_type is phn; this version has units of bpe or char"),
    ("decoder_conf", "normalize_before", False, "decoder_conf.normalize_before is False; this version has networks of"),
    ("decoder_conf", "attention_heads", 3, "3 heads of the decoder and a size of 16, which they must divide evenly"),
    ("decoder_conf", "num_blocks", 1, "arrays that a Conformer doesn't have, such as 'decoder.decoders.1."),
    ("decoder_conf", "num_blocks", 3, "has no 'decoder.decoders.2.self_attn.linear_q.weight'"),
    ("encoder_conf", "rel_pos_type", ..., "doesn't state encoder_conf.rel_pos_type; this version has networks"),
    ("encoder_conf", "rel_pos_type", "legacy", "rel_pos_type is legacy; this version has networks of latest"),
    ("encoder_conf", "input_layer", "conv2d6", "input_layer is conv2d6; this version has networks of conv2d"),
    ("encoder_conf", "experts", 2, "has encoder_conf.experts, a setting that this version doesn't know"),
    ("encoder_conf", "num_blocks", 2, "arrays that a Conformer doesn't have, such as 'encoder.encoders.2."),
    ("encoder_conf", "attention_heads", 5, "5 heads, a size of 16"),
    ("frontend_conf", "hop_length", 500, "a window of 400 samples and a step of 500"),
    ("frontend_conf", "n_fft", 1024, "frontend_conf.n_fft is 1024; this version has networks of 512"),
    ("normalize_conf", "norm_vars", False, "normalize_conf.norm_vars is False; this version has networks of True"),
])
def test_another_network_is_one_clear_line(section, key, value, message, tmp_path):
    config = espnet_config()
    arrays = espnet_arrays(config)
    target = config if section is None else config[section]
    target.pop(key) if value is ... else target.update({key: value})
    path = write_espnet(tmp_path, config, arrays)
    with pytest.raises(ValueError, match=f"^x: .*{message}") as error:
        read_espnet(open_weights(path), "x", tmp_path / "config.yaml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("parts, decoder, heads", [
    (("decoder", "ctc"), "rnn", {"transcript": "ctc"}),
    (("ctc",), "transformer", {"transcript": "ctc"}),
    (("decoder",), "transformer", {"transcript": "seq2seq"})])
def test_a_model_with_one_of_both(parts, decoder, heads, tmp_path):
    """ESPnet trains with CTC alone, or without it; and decoders of other kinds are left out."""
    config = {**espnet_config(), "decoder": decoder}
    arrays = {name: array for name, array in espnet_arrays(config).items()
              if name.partition(".")[0] not in {"decoder", "ctc"} - {*parts}}
    model = read_espnet(open_weights(write_espnet(tmp_path, config, arrays)), "x", tmp_path / "config.yaml")
    assert {name: head["type"] for name, head in model.heads.items()} == heads
    assert all("label" not in head for head in model.heads.values())
    left_out = {reason for name, reason in model.left_out.items() if name.startswith("decoder.embed")}
    assert left_out == ({"decoder: it is a rnn, and this version has networks of transformer"}
                        if decoder == "rnn" else set())
    assert sorted([*model.used, *model.left_out]) == sorted(arrays)


def test_letters_and_a_start_of_their_own(tmp_path):
    config = {**espnet_config(), "token_type": "char", "model_conf": {"sym_sos": "<sos>", "sym_eos": "<eos>"},
              "token_list": ["<blank>", "<unk>", "<space>", "E", "A", "S", "<sos>", "'", "<eos>"]}
    model = read_espnet(open_weights(write_espnet(tmp_path, config, espnet_arrays(config))), "x",
                        tmp_path / "config.yaml")
    assert model.heads["transcript"]["units"] == ["<|blank|>", "<|unk|>", " ", "e", "a", "s", "<|sos|>", "'",
                                                  "<|endoftext|>"]
    assert model.heads["transcript"]["start"] == ["<|sos|>"]
    tokens = make_tokens(model.heads["transcript"]["units"], "x")
    assert tokens.kind == "characters" and tokens.encode("a sea") == [4, 2, 5, 3, 4]


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=list(BOMBS))
def test_a_config_of_billions_of_values(bomb, tmp_path):
    config = espnet_config()
    path = write_espnet(tmp_path, config, espnet_arrays(config))
    for text in (bomb, bomb.replace("a0: &a0", "encoder: &a0"), " " * (MAXIMUM_BYTES + 1)):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(ValueError, match="^x: its config.yaml is no YAML of settings; fetch it again"):
            read_espnet(open_weights(path), "x", tmp_path / "config.yaml")


def test_a_file_without_its_config(tmp_path):
    config = espnet_config()
    path = write_espnet(tmp_path, config, espnet_arrays(config))
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(ValueError, match="an ESPnet model, and no config.yaml beside it that says which"):
        import_published(path, tmp_path / "out")
