"""Addresses that git fetches from: which text is one, how it looks without a password, and its clone's name."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit, urlunsplit

from kuberian.errors import RepositoryError

# scp's way of writing an address: [user@]host:path. A single letter before the colon is a Windows drive.
_SCP = re.compile(r"(?:[\w.+-]+@)?(?P<host>[\w.-]{2,}):(?P<path>[^\\].*)")


def is_address(path: str | os.PathLike[str]) -> bool:
    """Tell whether a text is an address that git fetches from, and no folder."""
    text = os.fspath(path)
    if "://" in text:
        return True
    return bool(_SCP.fullmatch(text)) and not Path(text).exists()


def without_credentials(url: str) -> str:
    """Return an address without the user name and password in it."""
    try:
        parts = urlsplit(url)
        if not parts.scheme or "@" not in parts.netloc:
            return url
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return ""


def mirror_path(address: str) -> PurePosixPath:
    """Return the path of an address's clone: `host/path/name.git`. Raises RepositoryError if there is no path."""
    if "://" in address:
        parts = urlsplit(address)
        host, path = parts.hostname or "local", parts.path
    else:
        match = _SCP.fullmatch(address)
        assert match is not None
        host, path = match["host"], match["path"]
    names = [re.sub(r"[^\w.-]", "_", name) for name in path.split("/") if name not in ("", ".", "..", "~")]
    if not names:
        raise RepositoryError(f"{without_credentials(address)} names no repository: give its whole address")
    return PurePosixPath(host, *names[:-1], names[-1].removesuffix(".git") + ".git")
