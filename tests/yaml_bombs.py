"""YAML texts of a few hundred bytes that stand for billions of values."""

import itertools


def _chained(first, following, levels=40):
    lines = [f"a0: &a0 {first}"]
    for one, other in itertools.pairwise(range(levels)):
        lines.append(f"a{other}: &a{other} {following.format(', '.join([f'*a{one}'] * 10))}")
    return "\n".join(lines) + "\n"


BOMBS = {"lists": _chained("[x]", "[{}]"), "merged": _chained("{x: 1}", "{{<<: [{}]}}"), "itself": "a: &a [*a]\n"}
"""`BOMBS` are lists of lists, mappings that are merged, and a list that holds itself."""
