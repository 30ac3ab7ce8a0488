"""Tensors of a safetensors file, read where they lie.

The `safetensors` package copies every tensor it returns. One question needs a dozen rows of the word embedding,
which is half of a small BERT: so the file is mapped, and a tensor is a view of the map.
Format: 8 bytes length (little endian), that many bytes of JSON, then the data
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import math
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kuberian.errors import CheckpointError

Array = NDArray[np.float32]
RowSelection: TypeAlias = "NDArray[np.integer] | slice"

# safetensors itself refuses a longer JSON header than this; that of the largest public checkpoints is some 100 kB.
MAX_HEADER_BYTES = 100_000_000


@dataclass(frozen=True)
class Tensor:
    """A tensor as stored: `raw` is a view of the mapped file, bfloat16 as the uint16 that holds its bits."""

    raw: NDArray
    is_bfloat16: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of every axis."""
        return self.raw.shape

    def float32(self, rows: RowSelection = slice(None)) -> Array:
        """Return a copy of these rows, converted to float32."""
        raw = self.raw[rows]
        if self.is_bfloat16:  # the upper half of a float32
            return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return np.array(raw, np.float32)

    def read_into(self, out: Array, rows: RowSelection = slice(None)) -> None:
        """Convert these rows into `out`, of their shape; only bfloat16 needs a float32 copy in between."""
        out[...] = self.float32(rows) if self.is_bfloat16 else self.raw[rows]


def open_tensors(path: Path) -> dict[str, Tensor]:
    """Map the file and return its tensors by name; their data is not read yet.

    Only floats and int8 are returned, not position ids. Raises CheckpointError if the file is damaged.
    """
    return open_file(path)[0]


def open_file(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return what open_tensors returns, and the file's metadata."""
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise CheckpointError(f"cannot read {path}: {error}") from error
    try:
        header, start = _header(data)
        metadata = header.pop("__metadata__", None) or {}
        tensors = {name: _tensor(data, start, entry) for name, entry in header.items() if entry["dtype"] in _DTYPES}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: {error}; get the checkpoint again") from error
    return tensors, metadata


_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "I8": np.dtype("i1"),
}


def _header(data: mmap.mmap) -> tuple[dict, int]:
    size = int.from_bytes(data[:8], "little")
    if size > min(len(data) - 8, MAX_HEADER_BYTES):
        raise ValueError("its header is longer than the file")
    header = json.loads(data[8 : 8 + size])
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    return header, 8 + size


def _tensor(data: mmap.mmap, start: int, entry: dict) -> Tensor:
    dtype, shape = _DTYPES[entry["dtype"]], tuple(int(n) for n in entry["shape"])
    begin, end = (int(offset) for offset in entry["data_offsets"])
    count = math.prod(shape)
    if min(shape, default=0) < 0 or begin < 0 or end - begin != count * dtype.itemsize or start + end > len(data):
        raise ValueError("a tensor lies outside of it")
    raw = np.frombuffer(data, dtype, count, start + begin).reshape(shape)
    return Tensor(raw, entry["dtype"] == "BF16")
