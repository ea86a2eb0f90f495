"""The search through scripted decoders and random ones, which are enumerated."""

import itertools

import numpy as np
import pytest

from speechzoo.decoding.attention.search import (COMPRESSION_RATIO, LEAST_TOKENS, TOKENS_PER_SECOND, AttentionSearch,
                                                 compression_ratio)
from tests.decoding.attention.scripted import Reader, ToyLanguageModel, letters_spec, whisper_spec, written_memory

# Two letters, a start and an end: few enough to enumerate texts.
TOY = letters_spec(units=["<|startoftranscript|>", "<|endoftext|>", "a", "b"], maximum_tokens=7)
MEMORY = np.ones((4, 2), np.float32)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum())


def mean_log_prob(model, text):
    """Of a text of the toy model, computed from all tokens before each; the start may not be written."""
    total = 0.0
    for number, token in enumerate(text):
        logits = model.logits([0, *text[:number]])[1:]
        total += log_softmax(logits)[token - 1]
    return total / len(text)


def enumerated(model, longest):
    texts = [(*letters, 1) for length in range(longest) for letters in itertools.product((2, 3), repeat=length)]
    return max(texts, key=lambda text: mean_log_prob(model, text))


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_that_keeps_every_text_finds_the_best(seed):
    model = ToyLanguageModel(4, 1, seed)
    best = enumerated(model, 6)
    found = AttentionSearch(beam=200)(MEMORY, TOY, model)
    assert (*found.units, 1) == best and found.score == pytest.approx(mean_log_prob(model, best))
    assert found.text == "".join({2: "a", 3: "b"}[token] for token in found.units)


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_of_one_is_greedy(seed):
    model, text = ToyLanguageModel(4, 1, seed), []
    while (not text or text[-1] != 1) and len(text) < 6:
        text.append(1 + int(model.logits([0, *text])[1:].argmax()))
    found = AttentionSearch()(MEMORY, TOY, model)
    assert found.units == [token for token in text if token != 1]
    assert found.score == pytest.approx(mean_log_prob(model, text))


@pytest.mark.parametrize("beam", [2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_states_follow_their_texts(seed, beam):
    """A row that went on with another row's state would have another score."""
    model = ToyLanguageModel(4, 1, 10 + seed, sharpness=0.5)
    found = AttentionSearch(beam)(MEMORY, TOY, model)
    texts = ((*found.units, 1), tuple(found.units))  # the search may end before the text does
    assert any(found.score == pytest.approx(mean_log_prob(model, text)) for text in texts if text)


def test_text_and_words_of_a_recording():
    spec = letters_spec()
    memory = written_memory("turn it on", spec)
    found = AttentionSearch()(memory, spec, Reader(spec))
    assert found.text == "turn it on" and [word.text for word in found.words] == ["turn", "it", "on"]
    assert found.confidence > 0.99 and found.language is None and found.no_speech is None and found.segments == []
    padded = AttentionSearch()(written_memory("turn it on", spec, padding=7), spec, Reader(spec))
    assert padded == found
    assert AttentionSearch(beam=4)(memory, spec, Reader(spec)).text == "turn it on"


@pytest.mark.parametrize("memory", [np.zeros((0, 2)), np.zeros((5, 2))])
def test_no_frames_give_no_text(memory):
    found = AttentionSearch()(memory, letters_spec(), None)
    assert (found.text, found.confidence, found.units) == ("", 1.0, [])


def test_the_audio_bounds_the_text():
    spec = letters_spec(maximum_tokens=448)
    forever = Reader(spec)
    forever.spec = {**spec, "end": spec["units"].index("a")}  # never ends
    for frames in (4, 20):
        # No letter twice in a row, so that nothing repeats itself.
        memory = np.stack([3 + np.arange(frames) % 25, np.ones(frames)], axis=1).astype(np.float32)
        found = AttentionSearch()(memory, spec, forever)
        assert len(found.units) == LEAST_TOKENS + int(TOKENS_PER_SECOND * frames * 0.1)
    assert len(AttentionSearch()(memory, {**spec, "maximum_tokens": 9}, forever).units) == 8  # the start is one of them


def test_a_text_that_repeats_itself_is_searched_for_again():
    spec = letters_spec(maximum_tokens=300)
    memory = written_memory("so " * 60, spec)
    assert compression_ratio("so " * 60) > COMPRESSION_RATIO
    found = AttentionSearch()(memory, spec, Reader(spec))
    assert compression_ratio(found.text) <= COMPRESSION_RATIO
    runs = [tuple(found.units[at:at + 3]) for at in range(len(found.units) - 2)]
    assert len(set(runs)) == len(runs)


NO_SPEECH = whisper_spec()["units"].index("<|nospeech|>")


@pytest.mark.parametrize("no_speech, sure, text", [
    (4.8, 0.5, ""), (5.6, 4.0, "hum"),  # 0.65 and 0.69: the text decides, which has -2.9 and -0.4 nats per token
    (3.0, 0.5, ""), (2.0, 0.5, "hum"), (4.0, 4.0, "hum"),  # 0.23, 0.10 and 0.31; -2.9, -2.9 and -0.4
    (20.0, 4.0, ""), (0.0, 0.5, "hum")])
def test_nobody_speaks_where_the_decoder_says_so(no_speech, sure, text):
    spec = whisper_spec()
    reader = Reader(spec, sure, {NO_SPEECH: no_speech})
    found = AttentionSearch(language="en")(written_memory("hum", spec), spec, reader)
    assert (found.text == "") == (text == "")
    assert (len(reader.fed) == 4) == (no_speech == 20.0)  # nothing behind the start, where no text would change it
    expected = np.exp(no_speech) / (np.exp(no_speech) + 66 + np.exp(sure))
    assert found.no_speech == pytest.approx(expected, abs=0.02)
    if not text:
        assert found.confidence == found.no_speech and found.words == [] and found.language == "en"


def test_languages_and_tasks_are_tokens_of_the_start():
    spec = whisper_spec()
    name = spec["units"].index
    reader = Reader(spec, first={name("<|de|>"): 3.0, name("<|en|>"): 1.0})
    memory = written_memory("ja", spec)

    def start(**options):
        reader.fed = []
        found = AttentionSearch(**options)(memory, spec, reader)
        return [spec["units"][token] for (token,) in reader.fed[:4]], found

    fed, found = start()
    assert fed == ["<|startoftranscript|>", "<|de|>", "<|transcribe|>", "<|notimestamps|>"]
    assert (found.text, found.language) == ("ja", "de")
    assert found.language_confidence == pytest.approx(1 / (1 + np.exp(-2.0)))
    fed, found = start(language="en", task="translate")
    assert fed[1:3] == ["<|en|>", "<|translate|>"] and (found.language, found.language_confidence) == ("en", 1.0)
    # A start with a language is one that a head was trained with; the language is still detected.
    spec = {**spec, "start": [spec["start"][0], name("<|en|>"), *spec["start"][1:]]}
    assert start()[0][1] == "<|de|>"


@pytest.mark.parametrize("options, message", [
    ({"language": "fr"}, "the decoder doesn't know the language 'fr'; it knows de, en"),
    ({"task": "sing"}, "the decoder can't sing; it knows transcribe, translate")])
def test_what_a_decoder_does_not_know(options, message):
    spec = whisper_spec()
    with pytest.raises(ValueError, match=message):
        AttentionSearch(**options)(MEMORY, spec, Reader(spec))


@pytest.mark.parametrize("options, message", [
    ({"language": "en"}, "doesn't know the language 'en'; it knows one language only"),
    ({"task": "translate"}, "can't translate; it knows one language, and writes what was said"),
    ({"timestamps": True}, "has no timestamps; leave timestamps out")])
def test_a_decoder_of_one_language(options, message):
    with pytest.raises(ValueError, match=message):
        AttentionSearch(**options)(MEMORY, letters_spec(), Reader(letters_spec()))


def test_english_models_have_tokens_of_languages_that_they_never_saw():
    spec = whisper_spec()
    spec = {**spec, "start": [spec["start"][0], spec["start"][2]]}  # no task: one language
    with pytest.raises(ValueError, match="it knows one language only"):
        AttentionSearch(language="en")(MEMORY, spec, Reader(spec))


def test_timestamps_bound_the_words():
    spec = whisper_spec()
    units = spec["units"]
    tokens = ["<|0.10|>", *"go", "<|0.40|>", "<|0.60|>", *" on", "<|0.90|>"]
    memory = np.array([[units.index(token), 1] for token in tokens], np.float32)
    reader = Reader(spec)
    reader.spec = {**spec, "start": spec["start"][:-1]}  # without <|notimestamps|>
    found = AttentionSearch(language="en", timestamps=True)(memory, spec, reader)
    assert found.text == "go on" and [units[token] for token in found.units] == tokens
    assert [(each.text, each.start, each.end) for each in found.segments] == [("go", 0.1, 0.4), ("on", 0.6, 0.9)]
    go, on = found.words
    assert 0.1 <= go.start < go.end <= 0.4 and 0.6 <= on.start < on.end <= 0.9


@pytest.mark.parametrize("memory, message", [
    (np.ones(3), r"memory of shape \(3,\); expected \(frames, channels\)"),
    (np.full((2, 2), np.nan), "NaN or infinite outputs")])
def test_a_memory_that_is_none(memory, message):
    with pytest.raises(ValueError, match=message):
        AttentionSearch()(memory, letters_spec(), None)


def test_logits_that_are_none():
    spec = letters_spec()
    with pytest.raises(ValueError, match="the decoder gave NaN or infinite logits"):
        AttentionSearch()(MEMORY, spec, Reader(spec, sure=np.nan))
    with pytest.raises(ValueError, match=r"logits of shape \(1, 30\); expected \(1, 29\), one row per text and one"):
        AttentionSearch()(MEMORY, {**spec, "units": spec["units"][:-1]}, Reader(spec))
    with pytest.raises(ValueError, match="beam is 1 or more, got 0"):
        AttentionSearch(0)
    with pytest.raises(ValueError, match=r"start \[99\] and end 1 must be tokens of the head, 0 to 29"):
        AttentionSearch()(MEMORY, {**spec, "start": [99]}, Reader(spec))


@pytest.mark.parametrize("task, expected", [("transcribe", "go on!"), ("translate", "go on!go on!")])
def test_a_recording_is_read_once(task, expected):
    """The decoder looks at the same frames for the second half of its text; translations may."""
    spec = whisper_spec()
    spec = {**spec, "units": [*spec["units"], "!"], "frame_seconds": 0.3}
    written = "go on!go on!"
    reader = Reader(spec)

    def step(tokens, position, memory, state):
        logits, state, _ = reader(tokens, position, memory, state)
        at = min(max(position - 3, 0), len(written) - 1) % 6
        return logits, state, np.tile(np.eye(len(memory), dtype=np.float32)[at], (len(tokens), 1))

    found = AttentionSearch(language="en", task=task)(written_memory(written, spec), spec, step)
    assert found.text == expected
    # It goes back with the 7th letter, and the 8th says so; a text of the second reading would cost as much again.
    assert len(reader.fed) == 4 + (7 if task == "transcribe" else len(written))
