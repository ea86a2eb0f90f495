import itertools
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from speechzoo.decoding.ctc.paths import log_softmax
from speechzoo.decoding.dictation.lexicon_search import DICTATION_PRIOR_SCALE, LexiconSearch
from speechzoo.decoding.recognition import head_decoders, recognize_outputs
from speechzoo.text.language_model import load_language_model
from speechzoo.text.ngram import NGram, build_ngram

UNITS = ["AH", "B", "K"]
HEAD = {"type": "ctc", "label": "phones", "units": UNITS, "kind": "phones", "frame_seconds": 0.04}
# Two words sound alike, one has two pronunciations, one has a phone twice, and one begins as another does.
LEXICON = {"a": [["AH"]], "uh": [["AH"]], "cub": [["K", "AH", "B"], ["K", "B"]], "cah": [["K", "AH"]],
           "ahah": [["AH", "AH"]]}
TEXTS = ["a cub", "cah a cub", "ahah uh", "a", "cub cub"]


def spec_of(**changes):
    writer = {"type": "ctc", "label": "transcript", "units": list("ab "), "kind": "characters", "frame_seconds": 0.04}
    return {"sample_rate": 16000, "heads": {"transcript": writer, "phones": {**HEAD, **changes}}}


def exhaustive(log_probs, words_score):
    """Score of the best path of any sentence, by trying every path: the definition of what the search looks for."""
    paths = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        units = tuple(UNITS[unit - 1] for unit, _ in itertools.groupby(path) if unit)
        score = sum(log_probs[frame, unit] for frame, unit in enumerate(path))
        paths[units] = max(score, paths.get(units, -math.inf))
    return max((score + words_score(words), words) for units, score in paths.items() for words in sentences(units))


def sentences(units):
    """Every way to read units as words."""
    if not units:
        yield ()
    for word, pronunciations in LEXICON.items():
        for phones in pronunciations:
            if units[:len(phones)] == tuple(phones):
                yield from ((word, *rest) for rest in sentences(units[len(phones):]))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(0, 10_000), st.integers(1, 3))
def test_the_search_is_exact_where_nothing_is_pruned(num_frames, seed, order):
    logits = np.random.default_rng(seed).standard_normal((num_frames, len(UNITS) + 1)) * 3
    model, prior = build_ngram(TEXTS, order=order), [-0.7, -1.5, -2.0, -3.0]

    def words_score(words):
        return 0.8 * math.log(10) * model.sentence_log10(" ".join(words)) + 0.3 * len(words)

    score, words = exhaustive(log_softmax(logits) - DICTATION_PRIOR_SCALE * np.array(prior), words_score)
    search = LexiconSearch(spec_of(log_prior=prior), LEXICON, model, lm_weight=0.8, word_bonus=0.3, beam=1000.0)
    found = search({"phones": logits})
    assert found.score == pytest.approx(score)
    assert words_score(found.text.split()) == pytest.approx(words_score(words))  # words that sound alike may tie


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_without_a_language_model_all_words_are_equally_probable(num_frames, seed):
    logits = np.random.default_rng(seed).standard_normal((num_frames, len(UNITS) + 1)) * 3
    score, _ = exhaustive(log_softmax(logits), lambda words: -math.log(len(LEXICON)) * len(words))
    assert LexiconSearch(spec_of(), LEXICON, beam=1000.0)({"phones": logits}).score == pytest.approx(score)


def spoken(*phones, frames_each=3):
    """Logits that are sure of these phones, with a blank after each."""
    logits = np.zeros((len(phones) * (frames_each + 1), len(UNITS) + 1))
    for place, phone in enumerate(phones):
        first = place * (frames_each + 1)
        logits[first:first + frames_each, UNITS.index(phone) + 1] = 9.0
        logits[first + frames_each, 0] = 9.0
    return logits


def test_the_language_model_chooses_among_words_that_sound_alike_and_words_have_times():
    search = LexiconSearch(spec_of(), LEXICON, build_ngram(["uh cub", "uh cub a"], order=2))
    found = search({"phones": spoken("AH", "K", "AH", "B")})
    assert found.text == "uh cub"
    assert [(word.text, word.start, word.end) for word in found.words] == [("uh", 0.0, 0.12), ("cub", 0.16, 0.6)]
    assert found.confidence > 0.99 and found.units == [1, 3, 1, 2]


def test_a_narrow_search_finds_what_is_plainly_said():
    search = LexiconSearch(spec_of(), LEXICON, build_ngram(TEXTS, order=3), maximum_tokens=4)
    assert search({"phones": spoken("K", "AH", "AH", "K", "AH", "B")}).text == "cah a cub"


def test_silence_and_no_frames_are_empty():
    search = LexiconSearch(spec_of(), LEXICON)
    silent = np.tile([9.0, 0.0, 0.0, 0.0], (5, 1))
    found = search({"phones": silent})
    assert found.text == "" and found.words == [] and found.confidence > 0.9
    assert search({"phones": silent[:0]}).text == ""


def test_a_recognition_takes_its_transcript_from_the_phones():
    outputs = {"phones": spoken("K", "AH", "B"), "transcript": np.zeros((4, 4))}
    search = LexiconSearch(spec_of(), LEXICON, build_ngram(TEXTS, order=2))
    result = recognize_outputs(outputs, spec_of(), decoder=search)
    assert result.transcript == "cub" and result.phones == "K AH B" and result.words[0].text == "cub"
    assert recognize_outputs(outputs, spec_of(), heads=["transcript"], decoder=search).phones is None
    assert recognize_outputs(outputs, spec_of(), heads=["phones"], decoder=search).transcript is None  # nobody asked
    decoders = head_decoders(spec_of(), list(spec_of()["heads"]), search)
    assert decoders["transcript"](outputs).text == "cub" and decoders["phones"](outputs) is outputs["phones"]


def test_words_that_the_language_model_does_not_know_are_left_out():
    search = LexiconSearch(spec_of(), LEXICON, build_ngram(["a", "cah"], order=1))
    assert set(search.tree.words) == {"a", "cah"}


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(ValueError, match="needs a head that writes phones; the model has: transcript"):
        LexiconSearch({"heads": {"transcript": spec_of()["heads"]["transcript"]}}, LEXICON)
    with pytest.raises(ValueError, match="have none in common"):
        LexiconSearch(spec_of(), LEXICON, build_ngram(["nothing of it"], order=1))
    with pytest.raises(ValueError, match=r"^head 'phones': .*shape \(2, 9\); expected \(frames, 4\)"):
        LexiconSearch(spec_of(), LEXICON)({"phones": np.zeros((2, 9))})


def test_language_models_by_name(tmp_path, monkeypatch):
    build_ngram(["a b"], order=2).save(tmp_path / "small.arpa")
    assert isinstance(load_language_model(tmp_path / "small.arpa"), NGram)
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(ImportError, match=r"pip install 'speechzoo\[dictation\]'"):
        load_language_model("pocketsphinx")


def test_the_model_of_pocketsphinx_is_a_distribution_over_english():
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    model = load_language_model("pocketsphinx")
    assert model.known("kitchen") == "kitchen" and model.known("qwxzz") == "<unk>"
    assert model.log10("the", ("one", "of")) > model.log10("the", ("of",)) > model.log10("the") > model.log10("aardvark")
    following = ["the", "a", "his", "this", "it", "which", "them", "</s>"]
    assert 0.3 < sum(10 ** model.log10(word, ("out", "of")) for word in following) < 1.0
