"""Repositories by address: a bare clone in the home, fetched anew on each run.

It keeps the branches and tags of the address and nothing of anybody's password. It is read like any other bare
repository; `kuberian forget` deletes it (kuberian/store/garbage.py).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from indexer.report import Progress
from kuberian.errors import HomeError, RepositoryError
from kuberian.store.home import Home
from kuberian.store.repositories import without_credentials

# scp's way of writing an address: [user@]host:path. A single letter before the colon is a Windows drive.
_SCP = re.compile(r"(?:[\w.+-]+@)?(?P<host>[\w.-]{2,}):(?P<path>[^\\].*)")
_COUNT = re.compile(rb"Receiving objects: .*\((\d+)/(\d+)\)")
_REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


def is_address(path: str | os.PathLike[str]) -> bool:
    """Tell whether a repository is named by an address that git fetches from, not by a folder."""
    text = os.fspath(path)
    if "://" in text:
        return True
    return bool(_SCP.fullmatch(text)) and not Path(text).exists()


def mirror_folder(home: Home, address: str) -> Path:
    """Return where the clone of an address is kept: `mirrors/host/path/name.git`."""
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
    return home.mirrors.joinpath(host, *names[:-1], names[-1].removesuffix(".git") + ".git")


def fetch(home: Home, address: str, progress: Progress | None = None, wait: bool = False) -> Path:
    """Bring the clone of an address up to date, made if there is none, and return its folder.

    Raises RepositoryError if git cannot fetch it, HomeError if the home cannot be written or the clone is being
    fetched by another process and `wait` is false.
    """
    from filelock import FileLock, Timeout

    folder = mirror_folder(home, address)
    shown = without_credentials(address)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock"), timeout=-1 if wait else 0):
            _git(folder.parent, "init", "--quiet", "--bare", folder.name)
            _git(folder, "config", "remote.origin.url", shown)
            _fetch(folder, address, progress)
            _follow_default_branch(folder, address)
    except Timeout:
        raise HomeError(f"another process is fetching {shown}: wait for it with --wait") from None
    except OSError as error:
        raise HomeError(f"{folder} cannot be written ({error.strerror}): name another home with --home") from error
    return folder


def _fetch(folder: Path, address: str, progress: Progress | None) -> None:
    command = ["git", "fetch", "--progress", "--prune", "--no-write-fetch-head", "--", address, *_REFS]
    process = subprocess.Popen(
        command, cwd=folder, env=_environment(), stdin=_terminal(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = b""
    while block := os.read(process.stderr.fileno(), 1 << 16):
        said = (said + block)[-10_000:]
        if progress is not None and (counts := _COUNT.findall(said)):
            progress("fetch", int(counts[-1][0]), int(counts[-1][1]))
    if process.wait():
        raise RepositoryError(f"{without_credentials(address)} cannot be fetched: {_reason(said, address)}")


def _follow_default_branch(folder: Path, address: str) -> None:
    """Point HEAD to the branch that the address's HEAD points to."""
    listed = _git(folder, "ls-remote", "--symref", "--", address, "HEAD", environment=_environment())
    match = re.match(r"ref: (refs/heads/\S+)\tHEAD", listed)
    if match:
        _git(folder, "symbolic-ref", "HEAD", match[1])


def _git(folder: Path, *command: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        ["git", *command], cwd=folder, env=environment, stdin=_terminal(), capture_output=True, check=False
    )
    if done.returncode:
        raise RepositoryError(f"git cannot keep {folder}: {_reason(done.stderr, '')}")
    return os.fsdecode(done.stdout)


def _environment() -> dict[str, str]:
    """Return an environment in which git asks for a password where there is somebody to ask, and else fails."""
    ask = {} if sys.stdin is not None and sys.stdin.isatty() else {"GIT_TERMINAL_PROMPT": "0"}
    return {**os.environ, "LC_ALL": "C", **ask}


def _terminal() -> int | None:
    return None if sys.stdin is not None and sys.stdin.isatty() else subprocess.DEVNULL


def _reason(said: bytes, address: str) -> str:
    lines = [line.strip() for line in os.fsdecode(said).replace(address or "\0", "it").splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))] or lines
    return told[0].partition(": ")[2] or told[0] if told else "no reason given"
