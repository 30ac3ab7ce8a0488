"""The types of the store's arrays: ids, flags, and vectors in memory and as they are stored."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Vectors in SQLite: half as large as in memory, and wrong by a thousandth of a unit vector's length.
STORED = np.dtype("<f2")


# `numpy.unique` does the same, and imports `numpy.ma` for it: 10 ms that a first answer need not wait for.


def distinct(ids: npt.NDArray[np.integer]) -> Ids:
    """Return ids ascending, each once."""
    ascending = np.sort(ids)
    return ascending[_first_of_each(ascending)].astype(np.int64)


def distinct_and_index(ids: npt.NDArray[np.integer]) -> tuple[Ids, Ids]:
    """Return ids ascending, each once, and for each of the given ones its position among those."""
    order = np.argsort(ids, kind="stable")
    ascending = ids[order]
    first = _first_of_each(ascending)
    index = np.empty(len(ids), np.int64)
    index[order] = np.cumsum(first) - 1
    return ascending[first].astype(np.int64), index


def in_order_of_appearance(ids: npt.NDArray[np.integer]) -> Ids:
    """Return ids as they come, each where it comes first."""
    order = np.argsort(ids, kind="stable")
    return ids[np.sort(order[_first_of_each(ids[order])])].astype(np.int64)


def _first_of_each(ascending: npt.NDArray[np.integer]) -> Flags:
    first = np.ones(len(ascending), np.bool_)
    first[1:] = ascending[1:] != ascending[:-1]
    return first
