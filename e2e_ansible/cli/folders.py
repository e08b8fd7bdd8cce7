"""Run folders as the commands take them: a path, a name below the runs, or the newest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from e2e_ansible.errors import UsageError
from e2e_ansible.names import suggestion

if TYPE_CHECKING:
    from e2e_ansible.run.folder import RunFolder

__all__ = ["find_run", "shown"]


def find_run(named: Path | None, runs: Path) -> RunFolder:
    """The run that is meant.

    Raises:
        UsageError: there is none.
    """
    from e2e_ansible.run.folder import RunFolder

    names = sorted(folder.parent.name for folder in runs.glob("*/run.json"))
    if named is None:
        if not names:
            raise UsageError(f"there is no run in {runs}", hint="name a run folder")
        return RunFolder.open(runs / names[-1])
    if named.is_dir():
        return RunFolder.open(named)
    if named.name in names:
        return RunFolder.open(runs / named.name)
    raise UsageError(f"there is no run {str(named)!r}", hint=suggestion(named.name, names) if names else "")


def shown(path: Path) -> str:
    """A path as the user can reach it: relative when it is below the present folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
