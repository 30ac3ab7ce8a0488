"""What is typed after an option, as a value: sizes and times with their units, and texts that are not empty."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

from kuberian.errors import UsageError

_SECONDS = {"s": 1, "m": 60, "h": 3600}

# Decimal as file managers and this program's own reports have it, and binary where that is said.
_BYTES = {"": 1, "b": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30}

_SIZE = re.compile(r"(?P<number>-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)) ?(?P<unit>[A-Za-z]*)")

# More than any file has. SQLite and C count no further.
_MOST_BYTES = 2**63 - 1


class Command(TyperCommand):
    """A command that refuses an empty text for any of its parameters: it comes from a variable that was never set."""

    def invoke(self, context: Any) -> Any:
        """Run the command. Raises UsageError if it was given an empty text."""
        for parameter in self.params:
            if context.params.get(parameter.name) == "":
                name = parameter.opts[0]
                what = name if name.startswith("-") else f"the argument {name!r}"
                advice = "give it a value" if parameter.required else "give it a value, or leave it out"
                raise UsageError(f"{what} is empty: {advice}")
        return super().invoke(context)


def seconds(text: str) -> float:
    """Return a time as typed, `90`, `60s`, `10m` or `1h`, in seconds. Raises UsageError for anything else."""
    number, unit = (text[:-1], _SECONDS[text[-1]]) if text[-1:] in _SECONDS else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise UsageError(f"{text!r} is no time: write it as 60s, 10m or 1h") from None


def size(text: str) -> int:
    """Return a size as typed, `500000`, `500KB`, `1.5m` or `512KiB`, in bytes. Raises UsageError for anything else."""
    match = _SIZE.fullmatch(text.strip().replace(",", "").replace("_", ""))
    if match is None or match["unit"].lower() not in _BYTES:
        raise UsageError(f"{text!r} is not a valid integer, nor a size: write it as 500KB, 2MB or 512KiB")
    from decimal import Decimal  # 3 ms that no search need wait for

    bytes_ = int(Decimal(match["number"]) * _BYTES[match["unit"].lower()])
    if bytes_ < 1:
        raise UsageError("the largest file to index must be at least 1 byte")
    return min(bytes_, _MOST_BYTES)
