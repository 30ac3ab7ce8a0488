"""Memory that workers reuse from call to call."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike, NDArray

# A cache line, and the width of the widest vector registers: BLAS is fastest on, and rounds the same with, such rows.
ALIGNMENT = 64


def aligned(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray:
    """Uninitialised array whose first byte lies on a multiple of ALIGNMENT."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    offset = -memory.ctypes.data % ALIGNMENT
    return memory[offset : offset + size].view(dtype).reshape(shape)


class Buffers:
    """Named arrays that grow when they have to and are otherwise handed out again."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray] = {}

    def get(self, name: str, *shape: int) -> NDArray:
        """Return a C-contiguous float32 array of this shape, with old contents; the last one of this name is void."""
        size = math.prod(shape)
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays[name] = aligned((size,))
        return self._arrays[name][:size].reshape(shape)
