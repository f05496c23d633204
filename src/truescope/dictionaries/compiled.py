"""The loops that plain torch has no fast CPU operation for, compiled by numba (the only module that imports it).

Every kernel works on a slice `start:stop` of its rows, releases the interpreter lock and writes into arrays that
the caller made, so `in_threads` can give each of torch's threads one slice. A row is always computed by one thread
in one order: results do not depend on the number of threads. The meaning of each kernel is stated, in torch, by
the function of the same name in `kernels`. `no_type_check` keeps the shape checks of the tests out of the loops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import no_type_check

import numpy as np
import torch
from numba import njit

_jit = njit(nogil=True, cache=True)
_jit_sums = njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})


@cache
def _pool(n_workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_workers, thread_name_prefix="truescope-kernel")


def in_threads(kernel: Callable[..., None], bounds: Sequence[int], *arguments: object) -> None:
    """Run `kernel(*arguments, start, stop)` for each pair of neighbouring `bounds`, the first one in this thread."""
    slices = list(pairwise(bounds))
    others = slices[1:]
    waiting = [_pool(len(others)).submit(kernel, *arguments, start, stop) for start, stop in others]
    kernel(*arguments, *slices[0])
    for future in waiting:
        future.result()


def even_bounds(n_rows: int) -> list[int]:
    """Slices of equal length, one for each torch thread."""
    n_slices = max(1, min(torch.get_num_threads(), n_rows))
    return [n_rows * part // n_slices for part in range(n_slices + 1)]


def feature_bounds(starts: np.ndarray) -> list[int]:
    """Slices of features with equal work: their entries, plus one row to write for each feature."""
    work = starts + np.arange(starts.size)
    n_slices = max(1, min(torch.get_num_threads(), starts.size - 1))
    inner = np.searchsorted(work, work[-1] * np.arange(1, n_slices) / n_slices)
    return [0, *inner.tolist(), starts.size - 1]


@_jit
@no_type_check
def _reach(keys, count, k, slack):
    """A key that at least `k` of `keys[:count]` reach; with slack 0 the largest such key, the k-th in order.

    Bisection between the smallest and the largest key, each half-step one vectorised count.
    With slack, it may stop early at a key that up to `k + slack` reach.
    """
    low = keys[0]
    high = keys[0]
    for i in range(count):
        low = min(low, keys[i])
        high = max(high, keys[i])
    reached = 0
    for i in range(count):
        reached += keys[i] >= high
    if reached >= k:
        return high
    while True:
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        if middle == low:
            return low
        keys[count] = middle
        pivot = keys[count]
        reached = 0
        for i in range(count):
            reached += keys[i] >= pivot
        if reached < k:
            high = middle
        else:
            low = middle
            if reached <= k + slack:
                return low


@_jit
@no_type_check
def _candidates(keys, count, k, n_tiles, maxima, tiles, near_keys, near_columns):
    """Collect every key that can be among the `k` largest; return how many there are, in order of column.

    Column c lies in tile c mod n_tiles. The k-th largest tile maximum is reached by at least k keys, all of which
    lie in tiles whose maximum reaches it.
    """
    for tile in range(n_tiles):
        maxima[tile] = keys[tile]
    for first in range(n_tiles, count, n_tiles):
        block = keys[first : min(first + n_tiles, count)]
        for tile in range(block.size):
            maxima[tile] = max(maxima[tile], block[tile])
    floor = _reach(maxima, n_tiles, k, k // 8)
    # Written to always, kept by moving on: no branch to mispredict. Unsigned, so no index can be negative.
    zero, one, end = np.uint64(0), np.uint64(1), np.uint64(count)
    n_kept = zero
    for tile in range(n_tiles):
        tiles[n_kept] = tile
        n_kept += one if maxima[tile] >= floor else zero
    found = zero
    for first in range(0, count, n_tiles):
        for i in range(n_kept):
            column = np.uint64(first + tiles[i])
            near_keys[found] = keys[column]
            near_columns[found] = column
            found += one if column < end and keys[column] >= floor else zero
    return np.int64(found)


@_jit
@no_type_check
def top_k(pre, bits, columns, k, n_tiles, values, indices, start, stop):
    """Rows `start:stop` of `kernels.top_k`. `bits` is `pre` seen as integers; no `columns` means all of them."""
    subset = columns.size > 0
    count = columns.size if subset else pre.shape[1]
    keys = np.empty(count + n_tiles, bits.dtype)  # the last tile row may be read beyond `count`
    maxima = np.empty(n_tiles + 1, bits.dtype)
    tiles = np.empty(n_tiles + 1, np.int64)
    near_keys = np.empty(count + 2, bits.dtype)
    near_columns = np.empty(count + 2, np.int64)
    magnitude = np.iinfo(bits.dtype).max
    for row in range(start, stop):
        # Integers in the order of the floats: flip the magnitude of the negative ones.
        if subset:
            for i in range(count):
                key = bits[row, columns[i]]
                keys[i] = key ^ ((key >> 63) & magnitude)
        else:
            for i in range(count):
                key = bits[row, i]
                keys[i] = key ^ ((key >> 63) & magnitude)
        found = _candidates(keys, count, k, n_tiles, maxima, tiles, near_keys, near_columns)
        floor = _reach(near_keys, found, k, 0)
        ties = k
        for i in range(found):
            ties -= near_keys[i] > floor
        slot = 0
        for i in range(found):
            if near_keys[i] > floor or (near_keys[i] == floor and ties > 0):
                ties -= near_keys[i] == floor
                column = columns[near_columns[i]] if subset else near_columns[i]
                values[row, slot] = pre[row, column]
                indices[row, slot] = column
                slot += 1


@_jit
@no_type_check
def by_feature(offsets, indices, starts, entries, positions):
    """Stable counting sort of the entries by feature. `starts` comes in as zeros, n_features + 1 of them."""
    for entry in range(indices.size):
        starts[indices[entry] + 1] += 1
    for feature in range(starts.size - 1):
        starts[feature + 1] += starts[feature]
    filled = starts[:-1].copy()
    for position in range(offsets.size - 1):
        for entry in range(offsets[position], offsets[position + 1]):
            slot = filled[indices[entry]]
            filled[indices[entry]] += 1
            entries[slot] = entry
            positions[slot] = position


@_jit_sums
@no_type_check
def decoder_backward(starts, entries, positions, values, d_output, weight, tangent, d_values, d_weight, start, stop):
    """Features `start:stop` of `kernels.decoder_backward`."""
    width = weight.shape[1]
    zero = weight.dtype.type(0)
    for feature in range(start, stop):
        total = d_weight[feature]
        total[:] = 0
        atom = weight[feature]
        for slot in range(starts[feature], starts[feature + 1]):
            entry = entries[slot]
            value = values[entry]
            arriving = d_output[positions[slot]]
            dot = zero
            for i in range(width):
                dot += atom[i] * arriving[i]
                total[i] += value * arriving[i]
            d_values[entry] = dot
        if tangent:
            along = zero
            square = zero
            for i in range(width):
                along += atom[i] * total[i]
                square += atom[i] * atom[i]
            if square > 0:
                along /= square
            for i in range(width):
                total[i] -= along * atom[i]


@_jit_sums
@no_type_check
def encoder_backward(starts, entries, positions, d_pre, inputs, d_weight, d_bias, start, stop):
    """Features `start:stop` of `kernels.encoder_backward`."""
    width = inputs.shape[1]
    zero = inputs.dtype.type(0)
    for feature in range(start, stop):
        total = d_weight[feature]
        total[:] = 0
        bias = zero
        for slot in range(starts[feature], starts[feature + 1]):
            slope = d_pre[entries[slot]]
            read = inputs[positions[slot]]
            bias += slope
            for i in range(width):
                total[i] += slope * read[i]
        d_bias[feature] = bias
