"""Run folders as the commands take them: a path, a name below the runs, or the newest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from e2e_ansible.errors import HarnessError, UsageError

if TYPE_CHECKING:
    from e2e_ansible.run.folder import RunFolder

__all__ = ["find_real_run", "find_run", "newest_first", "shown"]


def find_run(named: Path | None, runs: Path) -> RunFolder:
    """The run that is meant; without a name, the newest below `runs` that was more than a dry run.

    Raises:
        UsageError: there is none.
    """
    from e2e_ansible.run.folder import RunFolder

    if named is None:
        newest = next((run for run in newest_first(runs) if not _is_dry(run)), None)
        if newest is None:
            raise UsageError(
                f"there is no run in {runs}", hint="name a run folder, or where they are: --runs"
            )
        return newest
    for path in (named, runs / named.name):
        if os.path.isdir(path):  # noqa: PTH112  # unlike Path.is_dir it takes a name of any length
            return RunFolder.open(path)
    newest = next(newest_first(runs), None)
    where = "--runs names another folder"
    hint = (
        f"the newest in {runs} is {newest.run_id}; {where}" if newest else f"there is none in {runs}; {where}"
    )
    raise UsageError(f"there is no run {str(named)!r}", hint=hint)


def find_real_run(named: Path | None, runs: Path) -> RunFolder:
    """As `find_run`, but of a dry run there is nothing to tell.

    Raises:
        UsageError: there is none, or it was a dry run.
    """
    run = find_run(named, runs)
    if _is_dry(run):
        text = f"{shown(run.path)} is from a dry run: nothing was run"
        raise UsageError(text, hint="its plans are in tests/NAME/plan")
    return run


def shown(path: Path) -> str:
    """A path as the user can reach it: relative when it is below the present folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def newest_first(runs: Path) -> Iterator[RunFolder]:
    """The runs in a folder."""
    from e2e_ansible.run.folder import RunFolder

    found = [RunFolder.open(path.parent) for path in runs.glob("*/run.json") if path.is_file()]
    yield from sorted(found, key=lambda run: run.begun, reverse=True)


def _is_dry(run: RunFolder) -> bool:
    try:
        return run.manifest().dry_run
    except HarnessError:  # whoever reads it next will say what is wrong
        return False
