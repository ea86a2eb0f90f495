"""Dynamic time warping against every path, and times of tokens that are known."""

import numpy as np
import pytest
from scipy.signal import medfilt

from speechzoo.decoding.attention.alignment import (attention_centres, median_filter, token_starts, tokens_before_return,
                                                   warping_path)


def every_path(rows, columns):
    """All paths from the first cell to the last."""
    if rows == columns == 1:
        yield [(0, 0)]
        return
    for down, right in ((1, 1), (1, 0), (0, 1)):
        if rows - down >= 1 and columns - right >= 1:
            for path in every_path(rows - down, columns - right):
                yield [*path, (rows - 1, columns - 1)]


@pytest.mark.parametrize("rows, columns", [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5), (5, 3), (4, 4)])
def test_no_path_is_cheaper(rows, columns):
    paths = list(every_path(rows, columns))
    for seed in range(8):
        cost = np.random.default_rng(seed).standard_normal((rows, columns))
        path = warping_path(cost)
        assert [tuple(cell) for cell in path] in paths
        assert cost[tuple(path.T)].sum() == pytest.approx(min(sum(cost[cell] for cell in each) for each in paths))


@pytest.mark.parametrize("width", [1, 3, 7])
def test_the_median_of_neighbours(width):
    values = np.random.default_rng(1).standard_normal((3, 20))
    inner = slice(width // 2, 20 - width // 2)  # scipy pads with zeros
    for row, filtered in zip(values, median_filter(values, width)):
        np.testing.assert_array_equal(filtered[inner], medfilt(row, width)[inner])
    assert median_filter(values, 7)[0, 0] == np.median(np.pad(values[0], 3, mode="reflect")[:7])
    short = values[:, :3]
    assert median_filter(short, 7) is short


@pytest.mark.parametrize("seed", range(5))
def test_tokens_begin_where_the_decoder_begins_to_look(seed):
    """Four attention heads, one of which looks everywhere, one always at the same frames, all with noise."""
    random = np.random.default_rng(seed)
    lengths = random.integers(8, 20, 9)
    begins = np.append(0, np.cumsum(lengths))[:-1]
    attention = random.uniform(0, 0.02, (9, 4, lengths.sum()))
    for token, (first, length) in enumerate(zip(begins, lengths)):
        attention[token, :2, first:first + length] += 0.2
    attention[:, 2] += 0.1
    attention[:, 3, 30:40] += 1.0
    attention /= attention.sum(axis=-1, keepdims=True)
    starts = token_starts(attention, 0.02)
    assert starts[0] == 0
    np.testing.assert_allclose(starts, begins * 0.02, atol=0.021)


def test_tokens_without_anything_to_go_by():
    assert token_starts(np.full((1, 1, 5), 0.2), 0.1).tolist() == [0.0]
    assert token_starts(np.full((3, 2, 1), 1.0), 0.1).tolist() == [0.0, 0.0, 0.0]
    assert np.isfinite(token_starts(np.full((3, 1, 4), 0.25), 0.04)).all()


@pytest.mark.parametrize("centres, count", [
    ([0, 5, 9, 14, 12, 20], 6),  # it wavers
    ([0, 5, 9, 14, 20, 2, 25, 30], 8),  # one token looks elsewhere
    ([0, 5, 9, 14, 20, 13, 2, 5, 14], 5), ([0, 9, 20, 2, 3], 3), ([0, 9, 20, 18, 19, 2, 3], 5), ([4], 1)])
def test_a_second_reading_is_not_read(centres, count):
    attention = np.full((len(centres), 2, 40), 0.002)
    attention[np.arange(len(centres)), :, centres] = 1.0
    found = attention_centres(attention, 0.05)
    np.testing.assert_allclose(found, 0.05 * np.array(centres), atol=0.05)
    assert tokens_before_return(found) == count
