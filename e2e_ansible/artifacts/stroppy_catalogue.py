"""What a Stroppy program that is in the cache said of itself, kept by its digest. Looking it up runs nothing."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from e2e_ansible.artifacts.cache import cached, found
from e2e_ansible.load.stroppy_catalogue import CannotAsk, ask

__all__ = ["catalogue", "remember"]

_KIND = "stroppy-catalogue"
_FILE = "catalogue.json"
_SECONDS = 300


def remember(program: Path, sha256: str, machine: str) -> None:
    """Ask a program and keep what it says; not one for another machine, and nothing of one that does not say it."""
    if machine != platform.machine() or found(_KIND, sha256):
        return
    try:
        told = ask(str(program))
    except CannotAsk:
        return

    def make(folder: Path, lock: int) -> None:
        (folder / _FILE).write_text(json.dumps(told, sort_keys=True), encoding="utf-8")

    cached(_KIND, sha256, make, seconds=_SECONDS)


def catalogue(sha256: str) -> Mapping[str, Any] | None:
    """What the program with this digest said; None when it was never asked here."""
    place = found(_KIND, sha256)
    if place is None:
        return None
    told: Mapping[str, Any] = json.loads((place / _FILE).read_text(encoding="utf-8"))
    return told
