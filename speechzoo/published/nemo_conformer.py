"""NeMo's Conformer-CTC and FastConformer-CTC (`.nemo`) -> front end `nemo_log_mel`, backbone `conformer`, head `ctc`.

Sources of names and defaults: `modules/conformer_encoder.py`, `parts/submodules/subsampling.py`, `modules/conv_asr.py`
and `modules/audio_preprocessing.py` of nemo_toolkit 2, collections/asr (Apache-2.0).
"""

from speechzoo.published.conformer_block import take_block, take_layer, take_projection
from speechzoo.published.ctc_units import HEAD, ctc_head
from speechzoo.published.model import PublishedModel, Taker
from speechzoo.published.nemo import CONFIG, NeMoFile
from speechzoo.published.settings import ANY, check_settings, read_settings, whole_number

_MODULES = "nemo.collections.asr.modules."
# Classes of models that are one encoder and one CTC decoder.
_MODELS = ("nemo.collections.asr.models.ctc_bpe_models.EncDecCTCModelBPE",
           "nemo.collections.asr.models.ctc_models.EncDecCTCModel")
# Section -> setting -> the values that this version has the network for, NeMo's default among them.
_SETTINGS = {
    "preprocessor": {
        "_target_": (_MODULES + "AudioToMelSpectrogramPreprocessor",), "sample_rate": (16000,), "window": ("hann",),
        "window_size": (0.025,), "window_stride": (0.01,), "n_window_size": (None,), "n_window_stride": (None,),
        "n_fft": (512,), "normalize": ("per_feature",), "preemph": (0.97,), "features": ANY, "lowfreq": (0,),
        "highfreq": (None, 8000), "log": (True,), "log_zero_guard_type": ("add",), "log_zero_guard_value": (2 ** -24,),
        "mag_power": (2.0,), "mel_norm": ("slaney",), "frame_splicing": (1,), "exact_pad": (False,), "pad_value": (0,),
        "pad_to": ANY, "dither": ANY, "rng": ANY, "nb_augmentation_prob": ANY, "nb_max_freq": ANY,
        "stft_exact_pad": (False,), "stft_conv": (False,), "use_torchaudio": (False,)},
    "encoder": {
        "_target_": (_MODULES + "ConformerEncoder",), "feat_in": ANY, "feat_out": (-1, None), "n_layers": ANY,
        "d_model": ANY, "n_heads": ANY, "ff_expansion_factor": ANY, "conv_kernel_size": ANY,
        "subsampling": ("striding", "dw_striding"), "subsampling_factor": (4, 2, 8), "subsampling_conv_channels": ANY,
        "subsampling_conv_chunking_factor": ANY, "causal_downsampling": (False,), "reduction": (None,),
        "reduction_position": (None,), "reduction_factor": (1,), "self_attention_model": ("rel_pos",),
        "att_context_size": ([-1, -1], [[-1, -1]], None), "att_context_style": ("regular",),
        "att_context_probs": (None,), "xscaling": (True, False), "untie_biases": (True,), "use_bias": (True, False),
        "conv_norm_type": ("batch_norm",), "conv_context_size": (None,), "conv_dual_mode": (False,),
        "global_tokens": (0,), "global_tokens_spacing": ANY, "global_attn_separate": ANY, "pos_emb_max_len": ANY,
        "sync_max_audio_length": ANY, "use_pytorch_sdpa": ANY, "use_pytorch_sdpa_backends": ANY, "dropout": ANY,
        "dropout_pre_encoder": ANY, "dropout_emb": ANY, "dropout_att": ANY, "stochastic_depth_drop_prob": ANY,
        "stochastic_depth_mode": ANY, "stochastic_depth_start_layer": ANY},
    "decoder": {
        "_target_": (_MODULES + "ConvASRDecoder",), "feat_in": ANY, "num_classes": ANY, "vocabulary": ANY,
        "init_mode": ANY, "add_blank": (True,)},
}
# Settings whose default in NeMo is none of these values.
_STATED = {"preprocessor": ("window_size", "n_fft")}
# A block's modules by the names of our layers.
_NAMES = {"feed_forward_1": "feed_forward1", "feed_forward_2": "feed_forward2", "expand": "linear1",
          "project": "linear2", "convolution": "conv", "normalization": "conv.batch_norm",
          "norm_feed_forward_1": "norm_feed_forward1", "norm_attention": "norm_self_att",
          "norm_convolution": "norm_conv",
          "norm_feed_forward_2": "norm_feed_forward2", "norm_output": "norm_out"}


def read_nemo(arrays: NeMoFile, source: str, encoder_only: bool = False) -> PublishedModel:
    """Front end, encoder and decoder of a Conformer-CTC.

    Args:
        arrays: The file.
        source: Names it in messages.
        encoder_only: Leave the decoder out.

    Raises:
        ValueError: Another model than these, a setting that the backbone doesn't have, or an array that is missing,
            unknown, of another shape or type than the config says, or not finite.
    """
    config = _read_config(arrays, source)
    bins = whole_number(config["preprocessor"], "preprocessor", "features", 64, source)
    encoder = {name: whole_number(config["encoder"], "encoder", name, default, source) for name, default in {
        "feat_in": None, "n_layers": None, "d_model": None, "n_heads": 4, "ff_expansion_factor": 4,
        "conv_kernel_size": 31, "subsampling_factor": 4}.items()}
    size, num_heads = encoder["d_model"], encoder["n_heads"]
    if encoder["feat_in"] != bins or size % num_heads or size % 2 or encoder["conv_kernel_size"] % 2 == 0:
        raise ValueError(f"{source}: {bins} features and an encoder for {encoder['feat_in']}, {num_heads} heads and a "
                         f"size of {size}, a kernel of {encoder['conv_kernel_size']}: no network has these together")
    if config["encoder"].get("subsampling_conv_channels", -1) == -1:
        config["encoder"]["subsampling_conv_channels"] = size
    channels = whole_number(config["encoder"], "encoder", "subsampling_conv_channels", None, source)
    separable = config["encoder"].get("subsampling", "striding") == "dw_striding"
    backbone = {"type": "conformer", "size": size, "num_blocks": encoder["n_layers"], "num_heads": num_heads,
                "feed_forward_size": encoder["ff_expansion_factor"] * size, "kernel_size": encoder["conv_kernel_size"],
                "subsampling": encoder["subsampling_factor"], "subsampling_channels": channels,
                "separable_subsampling": separable}
    taker = Taker(arrays, source, "a Conformer-CTC", "NeMo's Conformer-CTC and FastConformer-CTC")
    _take_subsampling(taker, backbone, bins, 1.0 if config["encoder"].get("xscaling", True) else size ** -0.5)
    for number in range(encoder["n_layers"]):
        take_block(taker, f"encoder.layers.{number}", f"backbone/block_{number + 1}", backbone, _NAMES,
                   config["encoder"].get("use_bias", True))
    heads = {} if encoder_only else {HEAD: _take_decoder(taker, config, source, size)}
    for name in arrays:
        if name.startswith("preprocessor.featurizer."):
            taker.left_out[name] = "features: the front end has the formulas of the window and the filters"
        elif encoder_only and name.startswith("decoder."):
            taker.left_out[name] = "decoder: the encoder was asked for"
    taker.check_nothing_left()
    frontend = {"type": "nemo_log_mel"} | ({"num_mel_bins": bins} if bins != 80 else {})
    return PublishedModel(f"NeMo {'Fast' * separable}Conformer-CTC", taker.weights, frontend, backbone, taker.used,
                          taker.left_out, heads)


def _read_config(arrays, source):
    """The YAML of a file whose every setting is known."""
    if CONFIG not in arrays.members:
        raise ValueError(f"{source}: has no {CONFIG}; it is no NeMo model, or damaged")
    config = read_settings(arrays.text(CONFIG), CONFIG, source)
    if config.get("target") not in _MODELS:
        raise ValueError(f"{source}: a {str(config.get('target')).rpartition('.')[2][:80]}; of NeMo's models "
                         f"{' and '.join(name.rpartition('.')[2] for name in _MODELS)} can be imported")
    for section, known in _SETTINGS.items():
        check_settings(config.get(section), section, known, _STATED.get(section, ()), source)
    return config


def _take_subsampling(taker, backbone, bins, scale):
    """The convolutions, and the projection behind them.

    The backbone multiplies what they give by the root of its size; where NeMo doesn't (`xscaling: false`), `scale`
    takes it back.
    """
    channels, size, inputs, layer = backbone["subsampling_channels"], backbone["size"], 1, 0
    for stage in range(1, backbone["subsampling"].bit_length()):
        bins = (bins + 1) // 2
        if stage == 1 or not backbone["separable_subsampling"]:
            take_layer(taker, f"encoder.pre_encode.conv.{layer}", f"backbone/subsampling/conv_{stage}",
                       (channels, inputs, 3, 3), (2, 3, 1, 0))
            layer += 2  # a ReLU stands between
        else:
            take_layer(taker, f"encoder.pre_encode.conv.{layer}", f"backbone/subsampling/depthwise_{stage}",
                       (channels, 1, 3, 3), (2, 3, 0, 1))
            take_layer(taker, f"encoder.pre_encode.conv.{layer + 1}", f"backbone/subsampling/pointwise_{stage}",
                       (channels, channels, 1, 1), (2, 3, 1, 0))
            layer += 3
        inputs = channels
    take_projection(taker, "encoder.pre_encode.out", size, channels, bins)
    for part in ("kernel", "bias"):
        taker.weights[f"backbone/subsampling/projection/{part}"] *= scale


def _take_decoder(taker, config, source, size):
    """The head; its blank is NeMo's last output."""
    tokenizer = config.get("tokenizer")
    if tokenizer is not None and (not isinstance(tokenizer, dict) or tokenizer.get("type") != "bpe"):
        raise ValueError(f"{source}: its tokenizer is not of SentencePiece (type: bpe), whose pieces a head can write; "
                         "import the encoder alone (--encoder)")
    vocabulary = config["decoder"].get("vocabulary")
    if not isinstance(vocabulary, list) or not all(isinstance(token, str) for token in vocabulary):
        raise ValueError(f"{source}: decoder.vocabulary is no list of texts; fetch it again")
    outputs = len(vocabulary) + 1
    kernel = taker.take("decoder.decoder_layers.0.weight", (outputs, size, 1))[..., 0]
    bias = taker.take("decoder.decoder_layers.0.bias", (outputs,))
    head, weights = ctc_head(kernel, bias, [*vocabulary, "<blank>"], len(vocabulary), source)
    taker.weights |= weights
    return head
