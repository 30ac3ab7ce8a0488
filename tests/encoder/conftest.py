"""Checkpoints for the tests of the encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checkpoints import write_checkpoint


@pytest.fixture
def make_checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder with a small BERT; keyword arguments change its config.json."""

    def make(name: str = "small-bert", **changes: object) -> Path:
        return write_checkpoint(tmp_path / name, **changes)

    return make


@pytest.fixture
def checkpoint(make_checkpoint: Callable[..., Path]) -> Path:
    return make_checkpoint()
