"""The documentation says what is true."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from kuberian.cli.commands import app

ROOT = Path(__file__).parents[1]


def update_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("update_docs", ROOT / "scripts" / "update_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_is_documented_with_its_own_help() -> None:
    docs = update_docs()
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert set(docs.COMMANDS) == set(names)
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == docs.document()


def test_links_in_the_readme_lead_somewhere() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", readme) if "://" not in link]
    assert links
    assert all((ROOT / link).exists() for link in links)
