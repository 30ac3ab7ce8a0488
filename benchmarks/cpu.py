"""Which CPU a time was measured on: it measures nothing, and is printed beside every time."""

from __future__ import annotations

import os
from pathlib import Path

# What a CPU may have for fast products.
_WANTED = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8")


def cpu() -> str:
    """Return the name of the CPU, its cores, and what it has for fast products: times are to be compared with it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().split("\n") if info.exists() else []
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = [flag for flag in _WANTED if flag in fields.get("flags", "").split()]
    return f"{fields.get('model name', 'unknown CPU')}, {os.cpu_count()} cores, {' '.join(flags)}"
