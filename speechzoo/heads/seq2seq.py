"""An attention decoder: text, token by token, from all frames at once."""

import keras
import numpy as np
from keras import ops

from speechzoo.decoding.attention.memory import VALID, memory_name
from speechzoo.heads.head import Head
from speechzoo.heads.seq2seq_loss import Seq2SeqLoss, TokenAccuracy
from speechzoo.layers.attention import interleaved_sinusoids
from speechzoo.layers.decoder import DecoderBlock
from speechzoo.layers.feed_forward import ACTIVATIONS
from speechzoo.layers.masking import excluding, sequence_mask
from speechzoo.layers.quantizable import FrameDense
from speechzoo.text.tokens import make_tokens
from speechzoo.text.whisper_tokens import END


@keras.saving.register_keras_serializable(package="speechzoo")
class Seq2SeqHead(Head):
    """A decoder of attention blocks, which writes what frames say.

    What it gives for frames is the decoder's memory: the keys and values of all its blocks, which are computed once per
    utterance. The decoder itself runs on that memory: in training inside of the loss, over all tokens of the target at
    once (teacher forcing); afterwards step by step (`decode_step`), under a search (`speechzoo.decoding.attention`).

    Args:
        units: `characters` (space, apostrophe, a-z), a list of byte-pair-encoding pieces, `whisper_en` or
            `whisper_multilingual` for the tokens of Whisper's two vocabularies, or a list of all tokens, see
            `speechzoo.text.tokens.make_tokens`.
        layers: Blocks of the decoder.
        size: Channels of the decoder.
        num_heads: Attention heads of each block; must divide `size`.
        feed_forward_size: Channels inside the feed-forward modules; 4 x size when None.
        activation: Inside of them: `gelu` as in Whisper, `relu` as in the first Transformer, or `silu`.
        positions: `learnt`, a vector for each position as in Whisper, or `sinusoids`, by the formula of the first
            Transformer (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.5); `size` is even then.
        tied: The matrix of the embeddings is that of the last product, too, as in Whisper; otherwise this one has a
            matrix and biases of its own.
        epsilon: Of the layer normalisations.
        dropout: Dropout rate of the frames that enter, of the tokens that enter, and of what each module adds.
        label_smoothing: Probability that the training targets spread evenly over the tokens.
        scheduled_sampling: Probability that a training step gives the decoder, in place of a token of the target, what
            it would have written there itself (Bengio et al. 2015, https://arxiv.org/abs/1506.03099; in two passes over
            all tokens at once as in Mihaylova and Martins 2019, https://arxiv.org/abs/1906.07651). It learns to go on
            from its own mistakes; a step runs the decoder once more. Of use where it writes well already.
        maximum_tokens: Tokens that the decoder can read: those before a text, and the text.
        start: Names of the tokens that every text begins with; those of its vocabulary when None.
        alignment_heads: [block, attention head], from 0, of those whose weights say when a token was spoken; all of the
            second half of the blocks when None.

    Call arguments:
        frames, lengths: As of `Head`.

    Returns:
        Memory (batch, frames, layers x 2 x size + 1): of each block keys and values, and last 1 in the frames that
        are not padding. All of it is zero in the padding.

    Reference: Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 2.2; Chan et al. 2016, "Listen, attend and
        spell", section 3.

    Example:
        >>> head = Seq2SeqHead("characters", name="transcript")
        >>> head.encode("a cab").tolist()  # each token's index plus one, and the one that ends a text
        [5, 3, 7, 5, 6, 2]
    """

    target_shape = (None,)
    zero_padding = True
    metrics_in_training = False  # the decoder would run a second time

    def __init__(self, units: str | list[str] = "characters", layers: int = 2, size: int = 128, num_heads: int = 4,
                 feed_forward_size: int | None = None, activation: str = "gelu", positions: str = "learnt",
                 tied: bool = True, epsilon: float = 1e-5, dropout: float = 0.1, label_smoothing: float = 0.0,
                 scheduled_sampling: float = 0.0, maximum_tokens: int = 448, start: list[str] | None = None,
                 alignment_heads: list | None = None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.tokens = make_tokens(units, f"head '{self.name}'")
        self.num_layers = layers
        self.size = size
        self.num_heads = num_heads
        self.feed_forward_size = feed_forward_size or 4 * size
        if activation not in ACTIVATIONS:
            raise ValueError(f"head '{self.name}': activation '{activation}' is not {', '.join(ACTIVATIONS)}")
        if positions not in ("learnt", "sinusoids") or positions == "sinusoids" and size % 2:
            raise ValueError(f"head '{self.name}': positions are learnt or, of an even size, sinusoids; got "
                             f"{positions!r} and a size of {size}")
        self.activation, self.position_kind, self.tied, self.epsilon = activation, positions, tied, epsilon
        self.dropout_rate = dropout
        self.label_smoothing = label_smoothing
        if not 0.0 <= scheduled_sampling <= 1.0:
            raise ValueError(f"head '{self.name}': scheduled_sampling is a probability, got {scheduled_sampling:g}")
        self.scheduled_sampling = scheduled_sampling
        if scheduled_sampling:  # otherwise there is nothing to draw, and nothing that checkpoints must hold
            self.sampling_generator = keras.random.SeedGenerator()
        self.maximum_tokens = maximum_tokens
        self.start = list(start) if start is not None else self.tokens.default_start
        self.start_tokens = [self.tokens.index_of(name) for name in self.start]
        self.end_token = self.tokens.index_of(END)
        second_half = [(block, number) for block in range(layers // 2, layers) for number in range(num_heads)]
        self.alignment_heads = [tuple(pair) for pair in alignment_heads or second_half]
        if any(not (0 <= block < layers and 0 <= number < num_heads) for block, number in self.alignment_heads):
            raise ValueError(f"head '{self.name}': alignment_heads are pairs of a block, 0 to {layers - 1}, and an "
                             f"attention head, 0 to {num_heads - 1}, got {alignment_heads}")
        options = {"dtype": self.dtype_policy}
        self.dropout = keras.layers.Dropout(dropout, name="dropout", **options)
        self.blocks = [DecoderBlock(size, num_heads, self.feed_forward_size, activation, epsilon,
                                    name=f"block_{number}", **options) for number in range(1, layers + 1)]
        self.norm = keras.layers.LayerNormalization(epsilon=epsilon, name="norm", **options)
        self.logits = None if tied else FrameDense(len(self.tokens.names), name="logits", **options)

    def build(self, frames_shape, *_):
        # Where it makes logits, too, these begin with a deviation of one; otherwise the vectors themselves do.
        deviation = self.size ** -0.5 if self.tied else 1.0
        self.embedding = self.add_weight(name="embedding", shape=(len(self.tokens.names), self.size),
                                         initializer=keras.initializers.RandomNormal(stddev=deviation))
        if self.position_kind == "learnt":
            self.positions = self.add_weight(name="positions", shape=(self.maximum_tokens, self.size),
                                             initializer=keras.initializers.RandomNormal(stddev=0.02))
        for block in self.blocks:
            block.build(frames_shape)
        self.norm.build((None, None, self.size))
        if self.logits is not None:
            self.logits.build((None, None, self.size))

    def call(self, frames, lengths=None, training=False, state=None):
        """Frames (batch, frames, channels) -> memory (batch, frames, layers x 2 x size + 1), zero in the padding."""
        frames = self.dropout(frames, training=training)
        parts = [part for block in self.blocks for part in block.cross_attention.keys_and_values(frames)]
        memory = ops.concatenate([*parts, ops.ones_like(parts[0][..., :1])], axis=-1)
        mask = sequence_mask(lengths, memory)
        return memory if mask is None else memory * mask

    # -- the decoder ---------------------------------------------------------------------------------------------------

    def decode(self, tokens, memory, training: bool = False):
        """What follows each token of texts that are known.

        Args:
            tokens: int32 (batch, tokens), from the first on.
            memory: (batch, frames, layers x 2 x size + 1), what `call` gives.
            training: Whether dropout is on.

        Returns:
            Logits (batch, tokens, vocabulary).
        """
        count = ops.shape(tokens)[1]
        places = ops.arange(count, dtype="int32")
        unseen = excluding(ops.cast(places[None, :] <= places[:, None], memory.dtype))
        drop = self.dropout if training else None
        hidden = self._embedded(tokens, places)
        hidden = drop(hidden, training=True) if drop else hidden
        parts = [memory[..., number * self.size:(number + 1) * self.size] for number in range(2 * self.num_layers)]
        unheard = excluding(memory[..., -1])[:, None, :]
        for block, keys, values in zip(self.blocks, parts[::2], parts[1::2]):
            hidden = block(hidden, keys, values, unseen, unheard,
                           drop=drop and (lambda added: drop(added, training=True)))
        return self._logits(hidden)

    def decode_step(self, tokens, position, memory: dict, cache: dict) -> tuple:
        """One more token of each text, with what the decoder has computed for those before it.

        A step costs the same whichever token it is, but for the attention over the cache.

        Args:
            tokens: int32 (batch, 1), the tokens at `position`.
            position: int32 () or (batch,), from 0; less than the capacity of the cache.
            memory: What `call` gives, as `speechzoo.decoding.attention.memory.memory_parts` takes it apart; each part
                with batch rows, or with one for texts of one utterance.
            cache: Name -> float32 (batch, capacity, size); zeros at position 0. See `initial_cache`.

        Returns:
            Logits of the next token (batch, vocabulary), the new cache, and the weights of the frames (batch, frames),
            averaged over the alignment heads.
        """
        position = ops.reshape(ops.cast(position, "int32"), (-1, 1, 1))
        places = ops.arange(ops.shape(next(iter(cache.values())))[1], dtype="int32")
        dtype = memory[VALID].dtype
        unseen = excluding(ops.cast(places[None, None, :] <= position, dtype))
        here = ops.cast(places[None, :, None] == position, dtype)
        hidden = self._embedded(tokens, position[:, :, 0])
        unheard = excluding(memory[VALID])[:, None, :]
        written, weights = {}, []
        for number, block in enumerate(self.blocks, 1):
            names = f"block_{number}_keys", f"block_{number}_values"

            def remember(*new, names=names):
                return [cache[name] + here * (part - cache[name]) for name, part in zip(names, new)]

            hidden, of_frames, seen = block.step(hidden, *(memory[memory_name(name)] for name in names), unseen,
                                                 unheard, remember)
            written.update(zip(names, seen))
            weights.append(of_frames)
        chosen = [weights[block][:, number] for block, number in self.alignment_heads]
        return self._logits(hidden)[:, 0], written, sum(chosen[1:], chosen[0]) / len(chosen)

    def initial_cache(self, batch: int, capacity: int | None = None) -> dict[str, np.ndarray]:
        """The cache before the first token: zeros (batch, capacity, size) by name.

        Args:
            batch: Texts.
            capacity: Tokens that there is room for; `maximum_tokens` when None.
        """
        return {name: np.zeros((batch, shape[0] if capacity is None else capacity, shape[1]), np.float32)
                for name, shape in self.cache_shapes().items()}

    def cache_shapes(self) -> dict[str, list[int]]:
        """Name -> [maximum_tokens, size] of the keys and of the values of each block."""
        return {f"block_{number}_{part}": [self.maximum_tokens, self.size]
                for number in range(1, self.num_layers + 1) for part in ("keys", "values")}

    def _embedded(self, tokens, places):
        """Tokens (batch, tokens) at positions that broadcast to them -> (batch, tokens, size)."""
        embedded = ops.take(self.embedding, tokens, axis=0)
        if self.position_kind == "learnt":
            return embedded + ops.take(self.positions, places, axis=0)
        return embedded + interleaved_sinusoids(places, self.size, embedded.dtype)

    def _logits(self, hidden):
        if self.logits is not None:
            return self.logits(self.norm(hidden))
        batch, tokens, _ = ops.shape(hidden)
        # One product of two matrices, which TFLite has a kernel for that reads weights in int8.
        rows = ops.matmul(ops.reshape(self.norm(hidden), (-1, self.size)), ops.transpose(self.embedding))
        return ops.reshape(rows, (batch, tokens, len(self.tokens.names)))

    # -- labels --------------------------------------------------------------------------------------------------------

    def encode(self, value) -> np.ndarray:
        try:
            tokens = self.tokens.encode(value)
        except ValueError as error:
            raise ValueError(f"{self.label} {error} of head '{self.name}'") from None
        if len(self.start_tokens) + len(tokens) > self.maximum_tokens:
            raise ValueError(f"{self.label} '{value[:40]}...' has {len(tokens)} tokens, and head '{self.name}' writes "
                             f"at most {self.maximum_tokens} (maximum_tokens)")
        return np.array([*tokens, self.end_token], np.int32) + 1

    def loss(self):
        return Seq2SeqLoss(self, self.label_smoothing, name=f"{self.name}_loss")

    def training_loss(self):
        return Seq2SeqLoss(self, self.label_smoothing, training=True, name=f"{self.name}_loss")

    def with_own_tokens(self, tokens, memory):
        """Texts in which some tokens are those that the decoder would write there, for scheduled sampling.

        Args:
            tokens: int32 (batch, tokens), what every text begins with and the text.
            memory: (batch, frames, layers x 2 x size + 1), what `call` gives.

        Returns:
            int32 (batch, tokens).
        """
        own = ops.cast(ops.argmax(ops.stop_gradient(self.decode(tokens, memory)), axis=-1), "int32")
        own = ops.concatenate([tokens[:, :1], own[:, :-1]], axis=1)  # what follows a token is foretold there
        drawn = keras.random.uniform(ops.shape(tokens), seed=self.sampling_generator) < self.scheduled_sampling
        of_text = ops.arange(ops.shape(tokens)[1]) >= len(self.start_tokens)
        return ops.where(ops.logical_and(drawn, of_text), own, tokens)

    def metrics_for_fit(self):
        return [TokenAccuracy(self, name=f"{self.name}_accuracy")]

    def spec(self):
        return {"type": "seq2seq", "label": self.label, "kind": self.tokens.kind, "units": self.tokens.names,
                "start": self.start_tokens, "end": self.end_token, "maximum_tokens": self.maximum_tokens,
                "cache": self.cache_shapes()}

    def get_config(self):
        return {**super().get_config(), "units": self.units, "layers": self.num_layers, "size": self.size,
                "num_heads": self.num_heads, "feed_forward_size": self.feed_forward_size,
                "activation": self.activation, "positions": self.position_kind, "tied": self.tied,
                "epsilon": self.epsilon,
                "dropout": self.dropout_rate, "label_smoothing": self.label_smoothing,
                "scheduled_sampling": self.scheduled_sampling,
                "maximum_tokens": self.maximum_tokens, "start": self.start,
                "alignment_heads": [list(pair) for pair in self.alignment_heads]}
