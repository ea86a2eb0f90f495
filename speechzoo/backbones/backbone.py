"""What every backbone has in common."""

import keras


class Backbone(keras.layers.Layer):
    """Features -> the frames after each of its blocks, in steps that can be taken one by one.

    Most models call it as a whole. Methods of multi-task learning that act between blocks (`multitask/sharing/`) take
    its steps, of which a backbone implements, besides its attributes:

    - `build_stem(features_shape)` and `build_block(number, shape)` make the weights of a step.
    - `stem(features, lengths, training)` -> stream: all that comes before block 1. A causal one takes `state`, too.
    - `block(number, stream, training)` -> stream: one block (1-based), the last one with all that follows it.
    - `frames(number, stream, training)` -> (batch, frames out, channels): what leaves after that block. Has no weights.

    A stream is a dict of tensors: `hidden`, (batch, time, channels) or (batch, time, bins, channels); `lengths`, int32
    (batch,) in frames of `hidden`; `valid`, ones and zeros that multiply `hidden`; and what else the blocks need.
    `lengths` and `valid` are None when nothing is padded; `state` is there in a causal backbone's streams only.

    Call arguments:
        features: (batch, frames, bins).
        lengths: int32 (batch,), or None when nothing is padded.
        state: `StreamState` of a step in a stream, whose features are a multiple of `chunk` x `subsampling` frames;
            causal backbones only.

    Returns:
        A list with the frames (batch, frames out, channels) after each block, and their lengths: `output_lengths`,
        which are ceil(frames / subsampling) unless a backbone says otherwise.

    Attributes:
        num_blocks: Number of blocks.
        subsampling: Feature frames for one output frame.
        output_size: Channels after the last block.
        causal: Whether no output frame depends on frames after its chunk, so that it runs in steps.
        chunk: Output frames that see each other.
    """

    causal = False
    chunk = 1

    def build(self, features_shape, *_):
        shape = self.build_stem(features_shape)
        for number in range(1, self.num_blocks + 1):
            shape = self.build_block(number, shape)

    def call(self, features, lengths=None, training=False, state=None):
        """Features (batch, frames, bins) -> frames (batch, frames out, channels) after each block, and lengths."""
        streaming = {} if state is None else {"state": state}
        stream, outputs = {**self.stem(features, lengths, training, **streaming), **streaming}, []
        for number in range(1, self.num_blocks + 1):
            stream = self.block(number, stream, training)
            outputs.append(self.frames(number, stream, training))
        return outputs, stream["lengths"]

    def adaptable(self, number: int) -> list:
        """The layer normalisations of a block (1-based) that may be tuned to a speaker; none unless a backbone says so.

        They are in a part of the block where no frame sees another: `before_adaptable(number, stream)` gives what that
        part reads, tensors (batch, frames, size), and `adaptable_part(number, *inputs)` what leaves it.
        """
        return []

    def output_lengths(self, lengths):
        """Lengths of the frames that leave, for lengths of features; None for None."""
        return None if lengths is None else (lengths + self.subsampling - 1) // self.subsampling
