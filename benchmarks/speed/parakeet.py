"""The Conformer of `speechzoo` and the one of `transformers` as the same network: its PyTorch side, and its weights."""


def make_encoder(size, num_blocks, num_heads, mel_bins=80, **options):
    """A `transformers.ParakeetEncoder` with the layers of `speechzoo.backbones.Conformer`."""
    from transformers import ParakeetEncoder, ParakeetEncoderConfig
    defaults = {"intermediate_size": 4 * size, "conv_kernel_size": 9, "subsampling_factor": 4,
                "subsampling_conv_channels": 64, "dropout": 0.1, "dropout_positions": 0.0, "layerdrop": 0.0,
                "activation_dropout": 0.1, "attention_dropout": 0.1}
    return ParakeetEncoder(ParakeetEncoderConfig(
        hidden_size=size, num_hidden_layers=num_blocks, num_attention_heads=num_heads, num_key_value_heads=num_heads,
        num_mel_bins=mel_bins, scale_input=True, attention_bias=True, convolution_bias=True, **{**defaults, **options}))


def mapped_weights(state, num_blocks, num_heads):
    """Its weights, as NumPy arrays in `state`, under the paths and in the shapes of `Conformer`."""
    weights = {}

    def dense(ours, theirs):
        matrix = state[f"{theirs}.weight"]
        weights[f"{ours}/kernel"] = matrix.reshape(matrix.shape[0], -1).T  # pointwise convolutions too
        weights[f"{ours}/bias"] = state[f"{theirs}.bias"]

    def norm(ours, theirs):
        weights[f"{ours}/gamma"], weights[f"{ours}/beta"] = state[f"{theirs}.weight"], state[f"{theirs}.bias"]

    # Sequence of layers there: convolution, ReLU, (depthwise, pointwise, ReLU) ...
    stages = sum(name.startswith("subsampling.layers") and name.endswith("weight") for name in state) // 2 + 1
    for stage in range(stages):
        full, depthwise = (2, 3, 1, 0), (2, 3, 0, 1)
        for ours, layer, axes in [("conv_1", 0, full)] if not stage else [
                (f"depthwise_{stage + 1}", 3 * stage - 1, depthwise), (f"pointwise_{stage + 1}", 3 * stage, full)]:
            weights[f"subsampling/{ours}/kernel"] = state[f"subsampling.layers.{layer}.weight"].transpose(axes)
            weights[f"subsampling/{ours}/bias"] = state[f"subsampling.layers.{layer}.bias"]
    # Flattened there as (channels, bins), here as (bins, channels).
    channels = len(state["subsampling.layers.0.weight"])
    matrix = state["subsampling.linear.weight"]
    matrix = matrix.reshape(len(matrix), channels, -1).transpose(2, 1, 0)
    weights["subsampling/projection/kernel"] = matrix.reshape(-1, matrix.shape[-1])
    weights["subsampling/projection/bias"] = state["subsampling.linear.bias"]

    for number in range(num_blocks):
        ours, theirs = f"block_{number + 1}", f"layers.{number}"
        for one, two in (("feed_forward_1", "feed_forward1"), ("feed_forward_2", "feed_forward2")):
            dense(f"{ours}/{one}/expand", f"{theirs}.{two}.linear1")
            dense(f"{ours}/{one}/project", f"{theirs}.{two}.linear2")
        for one, two in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "o")):
            dense(f"{ours}/attention/{one}", f"{theirs}.self_attn.{two}_proj")
        for one, two in (("content_bias", "bias_u"), ("position_bias", "bias_v")):
            weights[f"{ours}/attention/{one}"] = state[f"{theirs}.self_attn.{two}"][:, None]
        # Rows of the transposed projection belong to sine and cosine of each frequency in turn.
        projection = state[f"{theirs}.self_attn.relative_k_proj.weight"].T
        for one, rows in (("position_sine", projection[0::2]), ("position_cosine", projection[1::2])):
            weights[f"{ours}/attention/{one}"] = rows.reshape(len(rows), num_heads, -1).transpose(1, 2, 0)
        dense(f"{ours}/convolution/expand", f"{theirs}.conv.pointwise_conv1")
        dense(f"{ours}/convolution/project", f"{theirs}.conv.pointwise_conv2")
        # (channels, 1, width) -> (width, channels, 1)
        kernel = state[f"{theirs}.conv.depthwise_conv.weight"]
        weights[f"{ours}/convolution/depthwise/kernel"] = kernel.transpose(2, 0, 1)
        weights[f"{ours}/convolution/depthwise/bias"] = state[f"{theirs}.conv.depthwise_conv.bias"]
        norm(f"{ours}/convolution/normalization", f"{theirs}.conv.norm")
        for one, two in (("mean", "running_mean"), ("variance", "running_var")):
            weights[f"{ours}/convolution/normalization/moving_{one}"] = state[f"{theirs}.conv.norm.{two}"]
        for one, two in (("feed_forward_1", "feed_forward1"), ("attention", "self_att"), ("convolution", "conv"),
                         ("feed_forward_2", "feed_forward2"), ("output", "out")):
            norm(f"{ours}/norm_{one}", f"{theirs}.norm_{two}")
    return weights


def assign_weights(layer, weights):
    """Gives a built `Conformer` the weights of `mapped_weights`.

    Raises:
        ValueError: A weight of one has no counterpart in the other.
    """
    unused = set(weights)
    for weight in layer.weights:
        path = weight.path.split("/", 1)[1]
        weight.assign(weights[path])
        unused.remove(path)
    if unused:
        raise ValueError(f"weights that the layer doesn't have: {sorted(unused)}")
