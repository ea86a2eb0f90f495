"""benchmarks/quality/front_ends.py: what is compared, in which conditions, and what counts as missed."""

import numpy as np
import pytest

from benchmarks.quality import front_ends
from speechzoo.config import load_config
from speechzoo.multitask.build import build_model


@pytest.mark.parametrize("title", front_ends.FRONT_ENDS)
def test_every_front_end_can_be_built_and_learns_no_levels(title):
    config = front_ends.with_front_end(load_config(front_ends.MODEL), front_ends.FRONT_ENDS[title])
    assert config.data.augment.gain.probability == config.data.augment.reverberation.probability == 0
    assert config.data.augment.noise.probability > 0
    model = build_model(config)
    assert list(model.heads) == ["keyword"] and model.frontend.spec_augment.frequency_masks > 0


def test_conditions_change_what_they_say():
    random = np.random.default_rng(0)
    audio, noise = (0.1 * random.standard_normal(count).astype(np.float32) for count in (16000, 40000))
    heard = {name: np.asarray(change(audio, "a")) for name, change in front_ends.conditions([noise]).items()}
    np.testing.assert_allclose(heard["quieter"], 0.1 * audio, rtol=1e-5)
    np.testing.assert_allclose(heard["louder"], 10 * audio, rtol=1e-5)
    assert all(np.abs(heard[name] - audio).max() > 0.01 for name in heard if name != "as_it_is")
    assert all(len(sound) == len(audio) for sound in heard.values())


def test_missed_is_a_keyword_below_the_threshold_or_another():
    classes = ["go", "stop", "_unknown_"]
    others = np.linspace(0.0, 0.5, 101)  # a twentieth of them is above 0.475
    probabilities = np.concatenate([
        np.stack([others, np.zeros(101), 1 - others], axis=1),
        [[0.9, 0.0, 0.1], [0.48, 0.0, 0.52], [0.47, 0.0, 0.53], [0.2, 0.8, 0.0]]])
    wrong = front_ends.missed(probabilities, classes, [None] * 101 + ["go"] * 4)
    assert wrong.tolist() == [False, False, True, True]
