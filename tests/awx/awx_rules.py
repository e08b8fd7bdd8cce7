"""Which files of a project AWX offers as playbooks: the rule of AWX 24.6.1, in its own words."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
_VALID = re.compile(
    r"^\s*?-?\s*?(?:hosts|(ansible\.builtin\.)?import_playbook|(ansible\.builtin\.)?include):\s*?.*?$"
)
_NOT_BELOW = frozenset({"roles", "tasks", "group_vars", "host_vars"})


@lru_cache(maxsize=4)
def offered(project: Path) -> tuple[str, ...]:
    """The playbooks of a project as its job templates can name them, sorted."""
    return tuple(sorted(_found(project)))


def _found(project: Path) -> list[str]:
    names = []
    for folder, folders, files in os.walk(project):
        folders[:] = [each for each in folders if each not in _NOT_BELOW and not each.startswith(".")]
        names += [
            str(Path(folder, name).relative_to(project))
            for name in files
            if name.endswith((".yml", ".yaml")) and could_be_playbook(Path(folder, name))
        ]
    return names


def could_be_playbook(path: Path) -> bool:
    """A line that begins a play or takes in a playbook; a file that is encrypted may be one as well."""
    with path.open(encoding="utf-8", errors="ignore") as lines:
        return any(
            _VALID.match(line) or (number == 0 and line.startswith("$ANSIBLE_VAULT;"))
            for number, line in enumerate(lines)
        )
