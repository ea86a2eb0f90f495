"""Whisper models with random weights, written by CTranslate2 itself; the committed `whisper.bin` and
`vocabulary.json` are of one of them.

    python -m tests.published.tiny_whisper

writes it again.
"""

from pathlib import Path

import numpy as np

COMMITTED = Path(__file__).with_name("whisper.bin")
SIZE, NUM_BLOCKS, NUM_HEADS = 16, 2, 2
NUM_POSITIONS, NUM_TOKENS = 1500, 8
# Those that CTranslate2 looks for, and one word.
VOCABULARY = ["<|endoftext|>", "<|startoftranscript|>", "<|nospeech|>", "<|notimestamps|>", "<|0.00|>", "<|en|>",
              "<|transcribe|>", "a"]


def whisper_spec(size: int = SIZE, num_blocks: int = NUM_BLOCKS, num_heads: int = NUM_HEADS, num_mel_bins: int = 80,
                 seed: int = 0, decoder_blocks: int = 1):
    """CTranslate2's description of a Whisper model, filled with random numbers."""
    from ctranslate2.specs import WhisperSpec

    random = np.random.default_rng(seed)

    def fill(*shape, mean=0.0):
        scale = 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.2
        return (mean + scale * random.standard_normal(shape)).astype(np.float32)

    def dense(spec, units_in, units_out):
        spec.weight, spec.bias = fill(units_out, units_in), fill(units_out)

    def norm(spec):
        spec.gamma, spec.beta = fill(size, mean=1.0), fill(size)

    spec = WhisperSpec(num_blocks, num_heads, decoder_blocks, num_heads)
    encoder, decoder = spec.encoder, spec.decoder
    for convolution, channels in ((encoder.conv1, num_mel_bins), (encoder.conv2, size)):
        convolution.weight, convolution.bias = fill(size, channels, 3), fill(size)
    encoder.position_encodings.encodings = sines(NUM_POSITIONS, size)
    decoder.position_encodings.encodings = fill(NUM_TOKENS, size)
    decoder.embeddings.weight = fill(len(VOCABULARY), size)
    decoder.projection.weight = decoder.embeddings.weight
    for transformer in (encoder, decoder):
        norm(transformer.layer_norm)
        for layer in transformer.layer:
            norm(layer.self_attention.layer_norm)
            dense(layer.self_attention.linear[0], size, 3 * size)
            layer.self_attention.linear[0].bias[size:2 * size] = 0
            dense(layer.self_attention.linear[1], size, size)
            norm(layer.ffn.layer_norm)
            dense(layer.ffn.linear_0, size, 4 * size)
            dense(layer.ffn.linear_1, 4 * size, size)
    for layer in decoder.layer:
        norm(layer.attention.layer_norm)
        for linear, units in zip(layer.attention.linear, (size, 2 * size, size)):
            dense(linear, size, units)
        layer.attention.linear[1].bias[:size] = 0
    spec.register_vocabulary(VOCABULARY)
    return spec


def sines(length, size):
    """Whisper's table, position by position and channel by channel."""
    half = size // 2
    rates = [10000 ** (-channel / (half - 1)) for channel in range(half)]
    return np.array([[np.sin(position * rate) for rate in rates] + [np.cos(position * rate) for rate in rates]
                     for position in range(length)], np.float32)


def write_whisper(folder: Path, quantization: str | None = "float16", spec=None, **options) -> Path:
    """Writes `folder/model.bin`, config and vocabulary as CTranslate2's converter does; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = spec or whisper_spec(**options)
    spec.validate()
    spec.optimize(quantization)
    spec.save(str(folder))
    return folder


if __name__ == "__main__":
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        written = write_whisper(Path(scratch))
        shutil.copy(written / "model.bin", COMMITTED)
        shutil.copy(written / "vocabulary.json", COMMITTED.parent)
