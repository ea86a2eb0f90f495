"""Who is held out: speakers chosen by a hash of their names, as many of each kind as there should be."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator

from speechzoo.config import nearest

TRAIN, DEV = "train", "dev"
# One speaker says little about others, and telling voices apart takes two of a kind.
_LEAST = 2
# So that it is a third of a small stratum at most.
_LEAST_FROM = 6


def hold_out_part(utterances: list[dict], part: float, group: str = "speaker", strata: Collection[str] = (),
                  known: dict[str, str] | None = None):
    """Splits a corpus: sets `split` of each utterance to `train` or `dev`, and keeps the old one as `subset`.

    The groups of a stratum are those with the same values of the fields `strata`. Each stratum gives its share of
    the part (rounded so that the shares add up: the method of Webster and Sainte-Laguë), at least two groups if it has
    six or more: those with the smallest hashes. So a larger part only adds groups.

    Args:
        utterances: All of a corpus.
        part: Part of the groups to hold out, 0 to 1.
        group: Field that names an utterance's group, such as a speaker; an utterance without it is a group of its own,
            named by its `id`.
        strata: Fields; `subset` is the old split.
        known: Group -> `train` or `dev`, of groups that stay where they are.
    """
    known = known or {}
    members = _members(utterances, group)
    # As sets of values: a speaker may be in two subsets.
    kinds = {name: tuple(" ".join(sorted({str(utterance.get(key, "")) for utterance in own})) for key in strata)
             for name, own in members.items()}
    dev = {name for name in members if known.get(name) == DEV}
    for stratum, share in _shares(Counter(kinds.values()), part).items():
        share -= sum(kinds[name] == stratum for name in dev)
        free = sorted((name for name in kinds if kinds[name] == stratum and name not in known), key=_hash)
        dev.update(free[:max(share, 0)])
    _set_splits(members, dev)


def hold_out_names(utterances: list[dict], names: Collection[str], group: str = "speaker"):
    """Splits a corpus like `hold_out_part`, holding out exactly the groups named.

    Raises:
        ValueError: A name isn't in the corpus.
    """
    members = _members(utterances, group)
    for name in names:
        if name not in members:
            raise ValueError(f"there is no {group} or recording '{name}' to hold out; {nearest(name, members)}")
    _set_splits(members, set(names))


def hold_out_of_stream(utterances: Iterator[dict], part: float, group: str = "speaker",
                       known: dict[str, str] | None = None) -> Iterator[dict]:
    """As `hold_out_part`, where not all utterances are known at once: groups with a hash below `part` are held out."""
    known = known or {}
    for utterance in utterances:
        members = _members([utterance], group)
        _set_splits(members, {name for name in members if known.get(name, DEV if _hash(name) < part else TRAIN) == DEV})
        yield utterance


def _members(utterances, group) -> dict[str, list[dict]]:
    """Name of each group -> its utterances, with their old split as `subset`."""
    members = {}
    for utterance in utterances:
        if "split" in utterance:
            utterance.setdefault("subset", utterance["split"])
        members.setdefault(str(utterance.get(group, utterance["id"])), []).append(utterance)
    return members


def _set_splits(members, dev):
    for name, own in members.items():
        for utterance in own:
            utterance["split"] = DEV if name in dev else TRAIN


def _hash(name: str) -> float:
    """A number from 0 to 1, the same on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2 ** 64


def _shares(sizes: Counter, part: float) -> dict[tuple, int]:
    """How many groups each stratum gives."""
    shares = dict.fromkeys(sorted(sizes), 0)
    for _ in range(int(part * sizes.total() + 0.5)):
        stratum = max(shares, key=lambda name: sizes[name] / (2 * shares[name] + 1))
        shares[stratum] += 1
    return {stratum: max(share, _LEAST if sizes[stratum] >= _LEAST_FROM else 0) for stratum, share in shares.items()}
