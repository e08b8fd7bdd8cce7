"""Writes a plan as a folder that a person can read and run by hand, and reads it back."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import ValidationError

from e2e_ansible.compile.plan import Plan
from e2e_ansible.content import content_files, content_root
from e2e_ansible.run.unreadable import unreadable

__all__ = ["read_plan", "write_plan"]

_PLAN = "plan.json"


def write_plan(plan: Plan, folder: Path) -> None:
    """The playbooks, the inventory, plan.json, and below `content` the roles and plugins they use.

    Raises:
        OSError: something could not be written.
    """
    for name, text in {**plan.files, _PLAN: plan.to_json()}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="\n")
    root = content_root()
    for file in content_files():
        target = folder / "content" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file, target)


def read_plan(folder: Path) -> Plan:
    """The plan in a folder, without the text of its playbooks.

    Raises:
        HarnessError: there is none, or it cannot be read.
    """
    try:
        return Plan.model_validate_json((folder / _PLAN).read_bytes())
    except (OSError, ValidationError) as error:
        raise unreadable(folder / _PLAN, error) from error
