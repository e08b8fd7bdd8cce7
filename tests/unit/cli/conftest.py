"""A desk for every test of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An empty folder, wide lines without colours, and nodes, if any, in a place of their own."""
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    monkeypatch.setenv("E2E_ANSIBLE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("E2E_DEBUG", "E2E_ALLOW_PLUGINS", "E2E_DEPLOYMENT"):
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path / "desk")
