"""What every answer over HTTP looks like: JSON on one line, and the headers that go with it."""

from __future__ import annotations

import json


def body(value: object) -> bytes:
    """Return a value as the body of an answer."""
    return json.dumps(value).encode("ascii") + b"\n"


def error_body(message: str) -> bytes:
    """Return the body of an answer that is an error. Its message is one line that a terminal and a log can show."""
    return body({"error": _one_line(message)})


def headers(content: bytes) -> list[tuple[str, str]]:
    """Return the headers of an answer with this body."""
    return [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ]


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
