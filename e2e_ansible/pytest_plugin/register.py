"""The runs of a session: which are under way, which have ended, and what becomes of those whose process died."""

from __future__ import annotations

import time
from pathlib import Path

from e2e_ansible.errors import E2EError
from e2e_ansible.providers.registry import get_provider
from e2e_ansible.run.clean_up import destroy_run
from e2e_ansible.run.folder import RunFolder, make_private

__all__ = ["RUNS", "Register", "remove_lost"]

#: The folder of the register, in that of the session.
RUNS = "runs"

_UNDER_WAY, _ENDED = "under-way", "ended"


class Register:
    """One file for each run, in a folder that all processes of a session share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begun(self, run: Path) -> None:
        """Note a run that makes nodes from now on.

        Raises:
            OSError: it could not be written.
        """
        self._write(_UNDER_WAY, run.name, run)

    def over(self, run: Path) -> None:
        """Note that a run has ended, and that its nodes are what they are to be. Without this it is lost.

        Raises:
            OSError: it could not be written.
        """
        self._write(_ENDED, f"{time.time_ns()}-{run.name}", run)
        (self._folder / _UNDER_WAY / run.name).unlink(missing_ok=True)

    def ended(self) -> list[Path]:
        """The runs that have ended, in their order."""
        return _read(self._folder / _ENDED)

    def _write(self, kind: str, name: str, run: Path) -> None:
        make_private(self._folder / kind)
        (self._folder / kind / name).write_text(str(run))


def _read(folder: Path) -> list[Path]:
    return [Path(path.read_text()) for path in sorted(folder.glob("*"))]


def remove_lost(folder: Path) -> list[str]:
    """Remove the nodes of runs whose process died or was ended in its clean-up; a sentence for each."""
    told = []
    for path in _read(folder / _UNDER_WAY):
        try:
            done = destroy_run(RunFolder.open(path), get_provider, at=time.time())
        except E2EError as error:
            done = [str(error), error.hint]
        told += [f"run {path.name} was lost: {text}" for text in done if text]
    return told
