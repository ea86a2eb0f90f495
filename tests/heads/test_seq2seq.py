"""The attention decoder: steps against teacher forcing, loss against NumPy, padding, labels, and that it learns."""

import keras
import numpy as np
import pytest

from speechzoo.decoding.attention.memory import memory_parts
from speechzoo.heads import Seq2SeqHead
from speechzoo.multitask.batches import join_outputs
from tests.helpers import spread_weights

FRAMES, CHANNELS, SIZE, TOKENS = 11, 6, 8, 9


@pytest.fixture(scope="module")
def head():
    head = Seq2SeqHead("characters", layers=2, size=SIZE, num_heads=2, maximum_tokens=TOKENS, dropout=0.3,
                       label_smoothing=0.1, alignment_heads=[[0, 1], [1, 0]], name="transcript")
    head.build((None, None, CHANNELS))
    spread_weights(head)
    return head


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).standard_normal((3, FRAMES, CHANNELS)).astype(np.float32)


LENGTHS = np.array([11, 7, 4], np.int32)
TEXTS = np.random.default_rng(1).integers(0, 30, (3, TOKENS)).astype(np.int32)


def steps(head, tokens, memory, capacity):
    """Logits (batch, tokens, vocabulary) and weights of the frames (batch, tokens, frames), step by step."""
    cache, logits, weights = head.initial_cache(len(tokens), capacity), [], []
    memory = memory_parts(np.asarray(memory), head.cache_shapes())
    for position in range(tokens.shape[1]):
        of_token, cache, of_frames = head.decode_step(tokens[:, position:position + 1], position, memory, cache)
        logits.append(np.asarray(of_token))
        weights.append(np.asarray(of_frames))
    return np.stack(logits, axis=1), np.stack(weights, axis=1)


@pytest.fixture(scope="module")
def other_head():
    """With everything other than the defaults, as in the first Transformer."""
    head = Seq2SeqHead(["<|blank|>", "\u2581a", "b", "<|endoftext|>"], layers=2, size=SIZE, num_heads=2,
                       maximum_tokens=TOKENS, activation="relu", positions="sinusoids", tied=False, epsilon=1e-12,
                       start=["<|endoftext|>"], name="transcript")
    head.build((None, None, CHANNELS))
    spread_weights(head)
    return head


def test_another_kind_of_decoder(other_head, frames):
    head = type(other_head).from_config(other_head.get_config())
    head.build((None, None, CHANNELS))
    names = [weight.path.partition("/")[2] for weight in head.weights]
    assert "positions" not in names and {"embedding", "logits/kernel", "logits/bias"} < set(names)
    assert head.tokens.kind == "pieces" and head.start_tokens == [head.end_token] == [3]
    assert head.encode("ab a").tolist() == [2, 3, 2, 4]
    texts, memory = TEXTS % 4, other_head(frames, LENGTHS)
    at_once = np.asarray(other_head.decode(texts, memory))
    logits, _ = steps(other_head, texts, memory, TOKENS)
    np.testing.assert_allclose(logits, at_once, atol=1e-5)
    # Equal tokens at other positions: only the formula tells them apart.
    same = np.zeros((1, TOKENS), np.int32)
    table = np.asarray(other_head._embedded(same, np.arange(TOKENS)) - other_head.embedding[0])[0]
    angle = np.arange(TOKENS)[:, None] / 10000.0 ** (np.arange(0, SIZE, 2) / SIZE)
    np.testing.assert_allclose(table, np.stack([np.sin(angle), np.cos(angle)], -1).reshape(TOKENS, SIZE), atol=1e-6)
    loss = other_head.loss()(np.array([[2, 4], [3, 4], [4, 0]], np.int32), memory)
    assert np.isfinite(float(loss)) and float(loss) > 0


@pytest.mark.parametrize("options, message", [
    ({"activation": "tanh"}, "activation 'tanh' is not silu, gelu, relu"),
    ({"positions": "rotary"}, "positions are learnt or, of an even size, sinusoids; got 'rotary'"),
    ({"positions": "sinusoids", "size": 9, "num_heads": 3}, "positions are .*; got 'sinusoids' and a size of 9")])
def test_decoders_that_are_not_there(options, message):
    with pytest.raises(ValueError, match=f"^head 'x': {message}"):
        Seq2SeqHead("characters", name="x", **options)


@pytest.mark.parametrize("capacity", [TOKENS, 32])
def test_steps_give_what_teacher_forcing_gives(head, frames, capacity):
    memory = head(frames, LENGTHS)
    logits, weights = steps(head, TEXTS, memory, capacity)
    np.testing.assert_allclose(logits, head.decode(TEXTS, memory), atol=1e-5)
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-6)
    assert not weights[1, :, 7:].any() and weights[1, :, :7].min() > 0


def test_texts_of_one_utterance_share_its_memory(head, frames):
    memory = np.asarray(head(frames[:1]))
    together, weights = steps(head, TEXTS, memory, TOKENS)
    each, of_each = steps(head, TEXTS, np.repeat(memory, 3, axis=0), TOKENS)
    np.testing.assert_allclose(together, each, atol=1e-5)
    np.testing.assert_allclose(weights, of_each, atol=1e-6)


def test_each_text_may_be_at_its_own_position(head, frames):
    memory, cache = head(frames), head.initial_cache(3)
    parts = memory_parts(np.asarray(memory), head.cache_shapes())
    for position in range(3):
        _, cache, _ = head.decode_step(TEXTS[:, position:position + 1], position, parts, cache)
    again, _, _ = head.decode_step(TEXTS[[0, 1, 2], [1, 2, 3]][:, None], np.array([1, 2, 3], np.int32), parts, cache)
    expected = np.asarray(head.decode(TEXTS, memory))
    np.testing.assert_allclose(again, expected[[0, 1, 2], [1, 2, 3]], atol=1e-5)


def test_later_tokens_and_padding_change_nothing(head, frames):
    logits = np.asarray(head.decode(TEXTS, head(frames, LENGTHS)))
    other = TEXTS.copy()
    other[:, 5:] = 3
    np.testing.assert_allclose(head.decode(other, head(frames, LENGTHS))[:, :5], logits[:, :5], atol=1e-6)
    for row, length in enumerate(LENGTHS):
        alone = head.decode(TEXTS[row:row + 1], head(frames[row:row + 1, :length]))
        np.testing.assert_allclose(alone[0], logits[row], atol=1e-5)


def test_loss_is_the_smoothed_cross_entropy_of_the_tokens(head, frames):
    texts = ["go", "", "it's a"]
    targets = [head.encode(text) for text in texts]
    padded = np.array([np.pad(target, (0, 8 - len(target))) for target in targets])
    memory = head(frames, LENGTHS)
    found = head.loss()
    found.reduction = None
    values = np.asarray(found(padded, memory))
    for row, target in enumerate(targets):
        indices = target - 1
        assert indices[-1] == head.end_token == 1 and head.tokens.names[1] == "<|endoftext|>"
        tokens = np.array([[0, *indices[:-1]]], np.int32)
        logits = np.asarray(head.decode(tokens, memory[row:row + 1]))[0].astype(np.float64)
        log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        expected = sum(0.9 * -log[place, index] + 0.1 * -log[place].mean() for place, index in enumerate(indices))
        np.testing.assert_allclose(values[row], expected, rtol=1e-5)
    metric, = head.metrics_for_fit()
    metric.update_state(padded, memory)
    right = total = 0
    for row, target in enumerate(targets):
        tokens = np.array([[0, *(target - 1)[:-1]]], np.int32)
        right += (np.argmax(head.decode(tokens, memory[row:row + 1])[0], axis=-1) == target - 1).sum()
        total += len(target)
    np.testing.assert_allclose(float(metric.result()), right / total, rtol=1e-6)


def test_a_batch_without_labels_has_no_loss(head, frames):
    assert float(head.loss()(np.zeros((3, 0), np.int32), head(frames), sample_weight=np.zeros(3))) == 0.0


def test_dropout_is_in_the_loss_of_training_alone(head, frames):
    target, memory = head.encode("go")[None].repeat(3, axis=0), head(frames)
    assert float(head.loss()(target, memory)) == float(head.loss()(target, memory))
    assert float(head.training_loss()(target, memory)) != float(head.training_loss()(target, memory))


def sampling_head(rate):
    head = Seq2SeqHead("characters", layers=2, size=SIZE, num_heads=2, maximum_tokens=TOKENS, dropout=0.0,
                       scheduled_sampling=rate, name="transcript")
    head.build((None, None, CHANNELS))
    spread_weights(head)
    return head


def test_scheduled_sampling_goes_on_from_what_the_decoder_writes(frames):
    """With every token drawn: two passes at once, against the decoder step by step."""
    head, targets = sampling_head(1.0), np.array([[5, 3, 7, 2, 0], [9, 2, 0, 0, 0], [4, 4, 6, 8, 2]], np.int32)
    memory = head(frames, LENGTHS)
    loss = head.training_loss()
    loss.reduction = None
    values = np.asarray(loss(targets, memory))
    assert np.abs(values - np.asarray(loss_of(head)(targets, memory))).max() > 1e-3  # it does make a difference
    start = head.start_tokens
    for row, target in enumerate(targets):
        wanted = target[target > 0] - 1
        given = np.array([*start, *wanted[:-1]], np.int32)
        first, _ = steps(head, given[None], memory[row:row + 1], TOKENS)
        written = np.argmax(np.asarray(first)[0], axis=-1)
        mixed = [given[place] if place < len(start) else written[place - 1] for place in range(len(given))]
        logits, _ = steps(head, np.array([mixed], np.int32), memory[row:row + 1], TOKENS)
        logits = np.asarray(logits, np.float64)[0, len(start) - 1:]
        log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        np.testing.assert_allclose(values[row], -log[np.arange(len(wanted)), wanted].sum(), rtol=1e-4)


def test_scheduled_sampling_draws_at_its_rate_and_leaves_evaluation_alone(frames):
    head, plain, sure = (sampling_head(rate) for rate in (0.25, 0.0, 1.0))
    for other in (plain, sure):
        other.set_weights(head.get_weights())
    tokens = np.random.default_rng(0).integers(2, 20, (3, TOKENS)).astype(np.int32)
    memory = head(frames)
    drawn = np.mean([np.asarray(head.with_own_tokens(tokens, memory)) != tokens for _ in range(100)], axis=0)
    always = np.asarray(sure.with_own_tokens(tokens, memory)) != tokens
    assert not drawn[:, :len(head.start_tokens)].any() and not drawn[~always].any()
    assert abs(drawn[always].mean() - 0.25) < 0.05
    target = head.encode("go")[None].repeat(3, axis=0)
    assert float(head.loss()(target, memory)) == float(plain.loss()(target, memory))
    assert float(plain.training_loss()(target, memory)) == float(plain.loss()(target, memory))
    assert len(plain.variables) < len(head.variables) and len(plain.weights) == len(head.weights)


def loss_of(head):
    loss = head.loss()
    loss.reduction = None
    return loss


def test_labels_that_have_no_tokens_are_one_line(head):
    with pytest.raises(ValueError, match="transcript 'a1' holds '1', which is not among the units .characters. of"):
        head.encode("a1")
    assert len(head.encode("a" * 8)) == 9  # with the one before it, which the decoder reads; not with its end
    with pytest.raises(ValueError, match="has 9 tokens, and head 'transcript' writes at most 9"):
        head.encode("a" * 9)


@pytest.mark.parametrize("options, message", [
    ({"units": "letters"}, "units 'letters' is not characters, whisper_en"),
    ({"start": ["<|en|>"]}, "the vocabulary has no token '<.en.>'"),
    ({"size": 10}, "4 heads do not divide 10 channels"),
    ({"scheduled_sampling": 1.5}, "head 'transcript': scheduled_sampling is a probability, got 1.5"),
    ({"alignment_heads": [[2, 0]]}, "alignment_heads are pairs of a block, 0 to 1"),
])
def test_options_that_fit_nothing_are_one_line(options, message):
    with pytest.raises(ValueError, match=message):
        Seq2SeqHead(**options, name="transcript")


def test_the_spec_says_how_to_begin_and_end():
    spec = Seq2SeqHead("whisper_multilingual", layers=1, size=4, num_heads=2, name="transcript").spec()
    names = [spec["units"][index] for index in spec["start"]]
    assert names == ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    assert spec["kind"] == "bytes" and spec["units"][spec["end"]] == "<|endoftext|>"
    assert spec["cache"] == {"block_1_keys": [448, 4], "block_1_values": [448, 4]}
    english = Seq2SeqHead("whisper_en", layers=1, size=4, num_heads=2, name="transcript").spec()
    assert [english["units"][index] for index in english["start"]] == ["<|startoftranscript|>", "<|notimestamps|>"]


def test_outputs_of_several_batches_are_padded_with_zeros(head, frames):
    short, long = np.asarray(head(frames[:, :5])), np.asarray(head(frames))
    joined = join_outputs([{"transcript": short}, {"transcript": long}], {"transcript": head})["transcript"]
    assert joined.shape == (6, FRAMES, 2 * 2 * SIZE + 1) and not joined[:3, 5:].any()
    logits = np.asarray(head.decode(TEXTS, joined[:3]))
    np.testing.assert_allclose(logits, head.decode(TEXTS, short), atol=1e-5)


def test_it_learns_a_batch_by_heart(frames):
    keras.utils.set_random_seed(1)
    head = Seq2SeqHead("characters", layers=1, size=32, num_heads=4, dropout=0.0, name="transcript")
    inputs, lengths = keras.Input((None, CHANNELS)), keras.Input((), dtype="int32")
    model = keras.Model([inputs, lengths], head(inputs, lengths))
    targets = np.array([np.pad(head.encode(text), (0, 9 - len(head.encode(text)))) for text in
                        ("turn on", "the", "lights")])
    model.compile(keras.optimizers.Adam(0.02), loss=head.loss(), metrics=head.metrics_for_fit(),
                  jit_compile=False)
    first, *_ = model.evaluate([frames, LENGTHS], targets, verbose=0)
    model.fit([frames, LENGTHS], targets, epochs=60, verbose=0)
    last, accuracy = model.evaluate([frames, LENGTHS], targets, verbose=0)
    assert first > 15 and last < 0.5 and accuracy == 1.0
    memory, text = model([frames, LENGTHS]), np.zeros((3, 1), np.int32)
    for _ in range(9):  # and writes it, token by token
        best = np.argmax(head.decode(text, memory)[:, -1], axis=-1).astype(np.int32)
        text = np.concatenate([text, best[:, None]], axis=1)
    written = ["".join(head.tokens.names[token] for token in row[1:]).split("<|endoftext|>")[0] for row in text]
    assert written == ["turn on", "the", "lights"]
