"""A folder may hold modules of the names that Kuberian imports; none of them is ever run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sdists import commit_all

ROOT = Path(__file__).parents[1]
CONSOLE_SCRIPT = [str(Path(sys.executable).with_name("kuberian"))]
STARTS = {
    "console script": CONSOLE_SCRIPT,
    "python -m kuberian": [sys.executable, "-m", "kuberian"],
    **({"python -P": [sys.executable, "-P", "-m", "kuberian"]} if sys.version_info >= (3, 11) else {}),
}
NAMES = ("indexer", "searcher", "numpy", "faiss", "typer", "filelock", "tokenizers", "git", "sqlite_utils", "pathspec")


@pytest.fixture
def hostile(repository: Path) -> Path:
    """The repository with modules that say when they are run."""
    for name in NAMES:
        (repository / name).mkdir(exist_ok=True)
        (repository / name / "__init__.py").write_text(f"open({str(repository / 'ran')!r}, 'a').write({name!r})\n")
    (repository / "tree_sitter.py").write_text((repository / "numpy" / "__init__.py").read_text())
    (repository / "sitecustomize.py").write_text((repository / "numpy" / "__init__.py").read_text())
    commit_all(repository)
    return repository


@pytest.mark.parametrize("start", STARTS)
def test_no_code_of_the_working_directory_is_run(hostile: Path, start: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for arguments in (
        ["index", "."],
        ["search", "check a password"],
        ["status"],
        ["doctor"],
        ["gc"],
        ["explain", "NOTES.md"],
    ):
        done = subprocess.run(
            [*STARTS[start], *arguments], cwd=hostile, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 1), done.stderr
        assert not (hostile / "ran").exists(), f"{start} {arguments} ran {(hostile / 'ran').read_text()}"


def test_cron_runs_no_code_of_the_repositories(hostile: Path) -> None:
    environment = {**os.environ, "KUBERIAN_REPOSITORIES": str(hostile)}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "container" / "cron.py"), "--once"],
        cwd=hostile, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (hostile / "ran").exists()
