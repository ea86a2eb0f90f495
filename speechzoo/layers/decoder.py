"""The block of an attention decoder: it looks back at what is written, and across at what was heard."""

import keras
from keras import ops

from speechzoo.layers.attention import attend, attend_rows, join_heads, split_heads
from speechzoo.layers.feed_forward import FeedForward
from speechzoo.layers.quantizable import FrameDense


@keras.saving.register_keras_serializable(package="speechzoo")
class DecoderBlock(keras.layers.Layer):
    """Attention to the tokens so far, attention to the memory, feed-forward, each behind its layer normalisation.

    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.1, with the norms before the modules, as in
    Whisper's decoder.

    Args:
        size: Channels of the tokens.
        num_heads: Attention heads; must divide `size`.
        feed_forward_size: Channels inside the feed-forward module.
        activation: Inside of it, one of `speechzoo.layers.feed_forward.ACTIVATIONS`.
        epsilon: Of the layer normalisations.
    """

    def __init__(self, size: int, num_heads: int, feed_forward_size: int, activation: str = "gelu",
                 epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.num_heads = num_heads
        self.feed_forward_size = feed_forward_size
        self.activation = activation
        self.epsilon = epsilon
        options = {"dtype": self.dtype_policy}
        self.norm_self, self.norm_cross, self.norm_feed_forward = (
            keras.layers.LayerNormalization(epsilon=epsilon, name=name, **options)
            for name in ("norm_self", "norm_cross", "norm_feed_forward"))
        self.self_attention = TokenAttention(size, num_heads, name="self_attention", **options)
        self.cross_attention = TokenAttention(size, num_heads, name="cross_attention", **options)
        self.feed_forward = FeedForward(size, feed_forward_size, activation, name="feed_forward", **options)

    def build(self, frames_shape):
        """Makes the weights, for a memory of frames (batch, frames, channels)."""
        tokens_shape = (None, None, self.size)
        for layer in (self.norm_self, self.norm_cross, self.norm_feed_forward, self.feed_forward, self.self_attention):
            layer.build(tokens_shape)
        self.cross_attention.build(frames_shape)

    def call(self, inputs, memory_keys, memory_values, unseen, unheard, drop=None):
        """All tokens of texts at once.

        Args:
            inputs: Tokens (batch, tokens, size).
            memory_keys, memory_values: What `cross_attention` makes of the frames, (batch, frames, size).
            unseen: Added to the scores of tokens: 0 where one is seen, very negative elsewhere; broadcasts to (heads,
                batch, tokens, tokens).
            unheard: Added to the scores of frames, in the same way.
            drop: Dropout of what each module adds; None without.

        Returns:
            Tokens (batch, tokens, size).
        """
        drop = drop or (lambda tensor: tensor)
        normed = self.norm_self(inputs)
        hidden = inputs + drop(self.self_attention(normed, *self.self_attention.keys_and_values(normed), unseen))
        hidden = hidden + drop(self.cross_attention(self.norm_cross(hidden), memory_keys, memory_values, unheard))
        return hidden + drop(self.feed_forward(self.norm_feed_forward(hidden)))

    def step(self, inputs, memory_keys, memory_values, unseen, unheard, remember):
        """One token of each text.

        Args:
            inputs: Tokens (texts, 1, size).
            memory_keys: What `cross_attention` makes of the frames, (texts, frames, size), or (1, ...) of an utterance
                that all texts share.
            memory_values: The same, (texts, size, frames) or (1, size, frames).
            unseen: Added to the scores of tokens: 0 where one is seen, very negative elsewhere; broadcasts to (texts,
                1, tokens).
            unheard: Added to the scores of frames, in the same way.
            remember: `(keys, values) -> (keys, values)`, which puts the inputs' own among those of earlier tokens.

        Returns:
            Tokens (texts, 1, size), the weights of the frames (texts, heads, frames), and the keys and values (texts,
            tokens, size) of the tokens seen.
        """
        normed = self.norm_self(inputs)
        keys, values = remember(*self.self_attention.keys_and_values(normed))
        written, _ = self.self_attention.step(normed, keys, ops.transpose(values, (0, 2, 1)), unseen)
        hidden = inputs + written
        heard, weights = self.cross_attention.step(self.norm_cross(hidden), memory_keys, memory_values, unheard)
        hidden = hidden + heard
        return hidden + self.feed_forward(self.norm_feed_forward(hidden)), weights, (keys, values)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_heads": self.num_heads,
                "feed_forward_size": self.feed_forward_size, "activation": self.activation,
                "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="speechzoo")
class TokenAttention(keras.layers.Layer):
    """Attention of tokens to keys and values that were computed before; the keys have no bias, see `SelfAttention`.

    Args:
        size: Channels of tokens, keys and values.
        num_heads: Attention heads; must divide `size`.
    """

    def __init__(self, size: int, num_heads: int, **kwargs):
        super().__init__(**kwargs)
        if size % num_heads:
            raise ValueError(f"attention: {num_heads} heads do not divide {size} channels")
        self.size = size
        self.num_heads = num_heads
        options = {"dtype": self.dtype_policy}
        self.query = FrameDense(size, name="query", **options)
        self.key = FrameDense(size, use_bias=False, name="key", **options)
        self.value = FrameDense(size, name="value", **options)
        self.output_projection = FrameDense(size, name="output", **options)

    def build(self, source_shape):
        """Makes the weights, for keys and values of a source (batch, positions, channels)."""
        for layer in (self.query, self.output_projection):
            layer.build((None, None, self.size))
        for layer in (self.key, self.value):
            layer.build((None, None, source_shape[-1]))

    def call(self, inputs, keys, values, penalty):
        """Attends to a source.

        Args:
            inputs: Tokens (batch, tokens, size).
            keys, values: Of the source, (batch, positions, size).
            penalty: Added to the scores, broadcasts to (heads, batch, tokens, positions).

        Returns:
            Tokens (batch, tokens, size).
        """
        context, _ = attend(*(split_heads(part, self.num_heads) for part in (self._queries(inputs), keys, values)),
                            penalty)
        return self.output_projection(join_heads(context))

    def step(self, inputs, keys, values, penalty):
        """Attends to a source, with one token of each text; arguments as of `speechzoo.layers.attention.attend_rows`.

        Returns:
            Tokens (texts, 1, size) and the weights of the positions (texts, heads, positions).
        """
        context, weights = attend_rows(self._queries(inputs), keys, values, penalty, self.num_heads)
        return self.output_projection(context), weights

    def _queries(self, inputs):
        # The scale goes into the queries: one small multiplication instead of one on every score.
        return self.query(inputs) * (self.size // self.num_heads) ** -0.5

    def keys_and_values(self, source):
        """Keys and values (batch, positions, size) of a source (batch, positions, channels)."""
        return self.key(source), self.value(source)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "num_heads": self.num_heads}
