"""Memory that workers reuse from call to call."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Bytes of a cache line and of the widest vector registers. On rows that start there BLAS is fastest, and rounds alike.
ALIGNMENT = 64


def aligned(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray:
    """Return an uninitialised array whose first byte lies on a multiple of ALIGNMENT."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    offset = -memory.ctypes.data % ALIGNMENT
    return memory[offset : offset + size].view(dtype).reshape(shape)


class Buffers:
    """Named arrays that are handed out again and again, and grow when they have to."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray] = {}

    def get(self, name: str, *shape: int) -> NDArray:
        """Return a C-contiguous float32 array of this shape, with old contents; the last array of this name is void."""
        size = math.prod(shape)
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays[name] = aligned((size,))
        return self._arrays[name][:size].reshape(shape)
