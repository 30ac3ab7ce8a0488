"""Fixtures for all tests: a small repository, a home of its own for each test, and the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sdists import commit_all

# A shell starts what it runs in the background with SIGINT ignored, and every child inherits that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

Run = Callable[..., "subprocess.CompletedProcess[str]"]

AUTH = '''"""Signing users in."""

import hashlib


class LoginManager:
    """Keeps track of who is signed in."""

    def authenticate(self, name, password):
        """Check a user's password and return the user, or None."""
        digest = hashlib.sha256(password.encode()).hexdigest()
        return self.users.get((name, digest))

    def logout(self, session):
        """End a user's session."""
        session.clear()
'''

RETRY = """package client

// Retry calls f until it succeeds, waiting twice as long after each failure.
func Retry(f func() error, attempts int) error {
	delay := time.Second
	for i := 0; i < attempts; i++ {
		if err := f(); err == nil {
			return nil
		}
		time.Sleep(delay)
		delay *= 2
	}
	return errors.New("gave up")
}
"""

NOTES = """# Notes

## Brewing

Coffee is brewed with water just off the boil.
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a home of its own, through the environment."""
    folder = tmp_path / "home"
    monkeypatch.setenv("KUBERIAN_HOME", str(folder))
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a repository of three files in three languages, committed."""
    root = tmp_path / "shop"
    (root / "server").mkdir(parents=True)
    (root / "client").mkdir()
    (root / "server" / "auth.py").write_text(AUTH)
    (root / "client" / "retry.go").write_text(RETRY)
    (root / "NOTES.md").write_text(NOTES)
    commit_all(root)
    return root


@pytest.fixture
def kuberian(tmp_path: Path) -> Run:
    """Return a function that runs the command line in a process of its own."""

    def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kuberian", *arguments],
            cwd=cwd or tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
