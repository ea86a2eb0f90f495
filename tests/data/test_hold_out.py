import hashlib
import itertools
from collections import Counter

import pytest

from speechzoo.data.hold_out import hold_out_names, hold_out_of_stream, hold_out_part


def speakers(sizes, **labels):
    """Two utterances of each speaker; `sizes` has the number of speakers of each gender."""
    return [{"id": f"{gender}{number}/{take}", "speaker": f"{gender}{number}", "gender": gender, "split": "other", **labels}
            for gender, size in sizes.items() for number in range(size) for take in range(2)]


def held_out(utterances):
    """Speakers in dev, after checking that nobody is on both sides."""
    sides = {(utterance["speaker"], utterance["split"]) for utterance in utterances}
    assert len({speaker for speaker, _ in sides}) == len(sides)
    assert {split for _, split in sides} <= {"train", "dev"}
    return {speaker for speaker, split in sides if split == "dev"}


def hashed(name):
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) / 2 ** 256


def test_each_stratum_gives_its_share_by_the_smallest_hashes():
    utterances = speakers({"female": 30, "male": 20})
    hold_out_part(utterances, 0.2, strata=("gender",))
    dev = held_out(utterances)
    for gender, size, share in (("female", 30, 6), ("male", 20, 4)):
        names = sorted((f"{gender}{number}" for number in range(size)), key=hashed)
        assert {name for name in dev if name.startswith(gender)} == set(names[:share])
    assert all(utterance["subset"] == "other" for utterance in utterances)


def test_shares_add_up_to_the_part():
    # 6.4, 5.2, 8.2 and 5.2: each rounded alone is 24.
    utterances = speakers({"a": 32, "b": 26, "c": 41, "d": 26})
    hold_out_part(utterances, 0.2, strata=("gender",))
    assert Counter(name[0] for name in held_out(utterances)) == {"a": 7, "b": 5, "c": 8, "d": 5}


@pytest.mark.parametrize("size, expected", [(1, 0), (4, 0), (5, 0), (6, 2), (9, 2), (40, 4)])
def test_a_stratum_gives_two_or_none_beside_a_large_one(size, expected):
    utterances = speakers({"female": size, "male": 200})
    hold_out_part(utterances, 0.09, strata=("gender",))
    assert Counter(name[0] for name in held_out(utterances))["f"] == expected


def test_a_larger_part_only_adds_speakers():
    sizes = {"female": 13, "male": 7, "child": 5, "unknown": 1}
    before = set()
    for part in (0.01, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 0.99):
        utterances = speakers(sizes)
        hold_out_part(utterances, part, strata=("gender",))
        dev = held_out(utterances)
        assert before <= dev
        before = dev
    assert len(before) == 26


def test_who_is_known_stays():
    names = sorted((f"f{number}" for number in range(20)), key=hashed)
    utterances = speakers({"f": 20})
    hold_out_part(utterances, 0.2, known={names[0]: "train", names[-1]: "dev"})
    assert held_out(utterances) == {names[-1], *names[1:4]}


def test_without_a_speaker_each_recording_is_a_group():
    utterances = [{"id": f"r{number}"} for number in range(10)]
    hold_out_part(utterances, 0.3)
    dev = {utterance["id"] for utterance in utterances if utterance["split"] == "dev"}
    assert dev == set(sorted((f"r{number}" for number in range(10)), key=hashed)[:3])
    assert not any("subset" in utterance for utterance in utterances)


def test_another_group():
    utterances = [{"id": f"{number}", "source_recording": f"s{number // 3}"} for number in range(12)]
    hold_out_part(utterances, 0.5, "source_recording")
    sides = {(utterance["source_recording"], utterance["split"]) for utterance in utterances}
    assert len(sides) == 4 and sum(split == "dev" for _, split in sides) == 2


def test_names():
    utterances = speakers({"f": 5})
    hold_out_names(utterances, ["f1", "f3"])
    assert held_out(utterances) == {"f1", "f3"}
    with pytest.raises(ValueError, match="there is no speaker or recording 'f9' to hold out"):
        hold_out_names(utterances, ["f9"])


def test_a_stream_goes_by_the_hash_alone():
    utterances = list(itertools.islice(hold_out_of_stream(iter(speakers({"f": 50})), 0.2, known={"f0": "dev"}), 90))
    assert held_out(utterances) == {"f0"} | {f"f{number}" for number in range(45) if hashed(f"f{number}") < 0.2}
