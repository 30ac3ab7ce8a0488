"""Addresses that git fetches from: which text is one, how it looks without a password, and its clone's name."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit, urlunsplit

from kuberian.errors import RepositoryError

# scp's way of writing an address: [user@]host:path. A single letter before the colon is a Windows drive.
_SCP = re.compile(r"(?:[\w.+-]+@)?(?P<host>[\w.-]{2,}):(?P<path>[^\\].*)")
# Hexadecimal digits: among a thousand addresses with one path, two are alike once in ten million homes.
_HASH_LENGTH = 12


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


def identity(address: str) -> str:
    """Return what tells an address from those of other repositories: credentials, a last "/" and ".git" aside.

    On a disk, `shop` and `shop.git` may be two repositories.
    """
    shown = without_credentials(address).rstrip("/")
    return shown if shown.startswith("file:") else shown.removesuffix(".git")


def mirror_paths(address: str) -> tuple[PurePosixPath, PurePosixPath]:
    """Return two paths for an address's clone: `host/path/name.git`, and one that no other address has.

    Another scheme, another port or an odd character may lead to the same first path, and it may lie inside of another
    clone. The second has a hash of the address. Raises RepositoryError if the address has no path.
    """
    try:
        host, path = _host_and_path(address)
    except ValueError as error:  # half of an IPv6 address
        raise RepositoryError(f"{address!r} is no address: {error}") from error
    names = [re.sub(r"[^\w.-]", "_", name) for name in path.split("/") if name not in ("", ".", "..", "~")]
    if not names:
        raise RepositoryError(f"{without_credentials(address)} names no repository: give its whole address")
    below = PurePosixPath(*names[:-1], names[-1].removesuffix(".git") + ".git")
    import hashlib  # 3 ms that no search need wait for

    key = hashlib.sha256(os.fsencode(identity(address))).hexdigest()[:_HASH_LENGTH]
    return host / below, f"{host}-{key}" / below


def _host_and_path(address: str) -> tuple[str, str]:
    if "://" in address:
        parts = urlsplit(address)
        return parts.hostname or "local", parts.path
    match = _SCP.fullmatch(address)
    assert match is not None
    return match["host"], match["path"]
