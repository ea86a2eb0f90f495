"""Imported Whisper decoders against CTranslate2 and against NumPy: same weights, same logits, same text.

Tolerances are ten times what was observed, as a share of the greatest logit.
"""

import os

import numpy as np
import pytest

import speechzoo
from speechzoo.exporters.recordings import bundled_recordings
from speechzoo.published.ctranslate2 import CTranslate2File
from speechzoo.published.importing import import_published
from tests.parity.test_whisper import difference, features
from tests.published.numpy_whisper import decode
from tests.published.tiny_whisper import VOCABULARY, write_whisper

ctranslate2 = pytest.importorskip("ctranslate2", reason="no ctranslate2: pip install speechzoo[dev]")

# Observed: at most 1.3e-6.
TOLERANCE = 1.3e-5
REAL = os.environ.get("SPEECHZOO_WHISPER_TINY_EN", "")
# A sentence, an order, a word.
RECORDINGS = 3


def written_by_ctranslate2(model, inputs, prompt, length):
    """Frames (1, frames, channels), the tokens of the greedy text, and the logits that each was chosen by."""
    features = ctranslate2.StorageView.from_array(np.ascontiguousarray(inputs.T[None]))
    result, = model.generate(features, [prompt], beam_size=1, max_length=length, suppress_blank=False,
                             suppress_tokens=[], return_logits_vocab=True)
    logits = np.array([np.array(row).ravel() for row in result.logits[0]])
    return np.array(model.encode(features)), result.sequences_ids[0], logits


def write_greedily(model, memory, prompt, length):
    """Tokens of the most probable text, step by step, and the logits of each step."""
    step, end, state = model.decode_steps["transcript"], model.heads["transcript"].end_token, {}
    tokens, logits = list(prompt), []
    for position in range(length - 1):
        of_next, state, attention = step(np.array(tokens[position:position + 1]), position, memory, state)
        np.testing.assert_allclose(attention.sum(-1), 1.0, atol=1e-4)
        logits.append(of_next[0])
        if position + 1 == len(tokens):
            best = int(of_next[0].argmax())
            if best == end:
                break
            tokens.append(best)
    return tokens[len(prompt):], np.array(logits)


def check_equal(source, folder, prompt, length, audios):
    """Decoders on the same frames, and texts from the waveform on; the greedy texts."""
    import_published(source, folder)
    # CTranslate2 takes 30 s, silence included.
    model, file = speechzoo.load(folder, frontend={"silence_seconds": 0.0}), CTranslate2File(source)
    head, texts = model.heads["transcript"], []
    reference = ctranslate2.models.Whisper(str(file.path.parent), device="cpu", compute_type="float32")
    for audio in audios:
        inputs = features(audio)
        frames, tokens, expected = written_by_ctranslate2(reference, inputs, prompt, length)
        memory = np.asarray(head(frames))[0]
        found, logits = write_greedily(model, memory, prompt, length)
        both = min(len(found), len(tokens))  # CTranslate2 stops at half of the length, if the text has no end
        assert both > 2 and found[:both] == tokens[:both]
        logits = logits[len(prompt) - 1:]
        shared = min(len(logits), len(expected))
        assert shared and difference(logits[:shared], expected[:shared]) < TOLERANCE
        forced = np.asarray(head.decode(np.array([[*prompt, *found]], np.int32), memory[None]))[0]
        assert difference(logits, forced[len(prompt) - 1:][:len(logits)]) < TOLERANCE
        in_numpy = decode(file, frames[0].astype(np.float64), [*prompt, *found])
        assert difference(forced, in_numpy) < TOLERANCE
        own = model.batch_outputs([np.pad(audio, (0, 30 * 16000 - len(audio)))])[0]["transcript"]
        assert write_greedily(model, own, prompt, length)[0] == found  # with the own front end and encoder
        texts.append(found)
    return texts


@pytest.mark.parametrize("quantization, options", [
    (None, {}), ("float16", {"size": 32, "num_blocks": 1, "num_heads": 4, "decoder_blocks": 3, "seed": 1})])
def test_random_decoders_equal_ctranslate2_and_numpy(quantization, options, tmp_path):
    source = write_whisper(tmp_path / "random", quantization, **options)
    start = VOCABULARY.index("<|startoftranscript|>"), VOCABULARY.index("<|notimestamps|>")
    check_equal(source, tmp_path / "imported", start, 8, bundled_recordings(16000)[:1])


@pytest.mark.published
@pytest.mark.skipif(not REAL, reason="SPEECHZOO_WHISPER_TINY_EN names no model.bin")
def test_the_published_decoder_equals_ctranslate2_and_numpy(tmp_path):
    texts = check_equal(REAL, tmp_path / "imported", (50257, 50362), 60, bundled_recordings(16000)[:RECORDINGS])
    assert all(len(text) < 40 for text in texts)  # all of them have come to their end
