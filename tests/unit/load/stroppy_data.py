"""What real programs of both lines of Stroppy printed, as it was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from e2e_ansible.load.base import LoadOutput

FOLDER = Path(__file__).parents[2] / "data" / "stroppy"
NAMES = sorted(
    path.stem for path in FOLDER.glob("*-*.json") if not path.stem.startswith(("said-", "catalogue-"))
)


def recorded(name: str) -> LoadOutput:
    """One run."""
    return LoadOutput.model_validate_json((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def said(dialect: str) -> dict[str, str]:
    """What a program says of itself, by its words."""
    told: dict[str, str] = json.loads((FOLDER / f"said-{dialect}.json").read_text(encoding="utf-8"))
    return told


def catalogue(dialect: str) -> dict[str, Any]:
    """What was made of that."""
    told: dict[str, Any] = json.loads((FOLDER / f"catalogue-{dialect}.json").read_text(encoding="utf-8"))
    return told
