"""Real projects to index: source distributions from PyPI, pinned by hash, unpacked once and made git repositories."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

CACHE = Path(__file__).parents[1] / ".cache" / "sdists"


@dataclass(frozen=True)
class Sdist:
    """A pinned source distribution. `sha256` is the hash of its .tar.gz."""

    name: str
    version: str
    sha256: str

    @property
    def folder(self) -> Path:
        """Where it is unpacked."""
        return CACHE / f"{self.name}-{self.version}"


FLASK = Sdist("flask", "3.1.0", "5f873c5184c897c8d9d1b05df1e3d01b14910ce69607a117bd3277098a5836ac")


def unpacked(sdist: Sdist) -> Path:
    """Return the folder of the unpacked distribution, downloaded with pip if it is not there yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{sdist.name}.lock"):
        if not sdist.folder.exists():
            download = CACHE / f"{sdist.name}-download"
            shutil.rmtree(download, ignore_errors=True)
            download.mkdir()
            requirement = download / "requirement.txt"
            requirement.write_text(f"{sdist.name}=={sdist.version} --hash=sha256:{sdist.sha256}\n")
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
            subprocess.run([*pip, "--dest", download, "--requirement", requirement], check=True)
            (archive,) = download.glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                tar.extractall(download, filter="data")
            archive.unlink()
            requirement.unlink()
            (top,) = download.iterdir()
            top.rename(sdist.folder)
            download.rmdir()
    return sdist.folder


def as_repository(sdist: Sdist, folder: Path) -> Path:
    """Copy the distribution into `folder`, make it a git repository with one commit, and return it."""
    root = folder / sdist.name
    shutil.copytree(unpacked(sdist), root)
    commit_all(root, f"{sdist.name} {sdist.version}")
    return root


def git(root: Path, *arguments: str) -> str:
    """Run git in a folder, as somebody, and return what it prints."""
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit_all(root: Path, message: str = "change") -> None:
    """Commit everything in a folder, which becomes a repository if it is none."""
    if not (root / ".git").exists():
        git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message)
