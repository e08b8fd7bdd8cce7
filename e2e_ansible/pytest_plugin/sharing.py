"""What all processes of a pytest session share, and what ends with it. Cheap unless there was a run."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from e2e_ansible.pytest_plugin.harness import Harness

__all__ = ["close", "harness_of", "shared_folder", "tell_worker"]

_HARNESS = pytest.StashKey["Harness"]()
_FOLDER = pytest.StashKey[Path]()
_INPUT = "e2e_shared"


def shared_folder(config: pytest.Config) -> Path:
    """A folder of this session, the same in every worker. It is made by whoever needs it first."""
    if _FOLDER not in config.stash:
        given = getattr(config, "workerinput", {}).get(_INPUT)
        made = Path(tempfile.gettempdir()) / f"e2e-pytest-{uuid.uuid4().hex}"
        config.stash[_FOLDER] = Path(given) if given else made
    return config.stash[_FOLDER]


def tell_worker(node: Any) -> None:
    """Give a worker of xdist the folder of the session."""
    node.workerinput[_INPUT] = str(shared_folder(node.config))


def harness_of(config: pytest.Config) -> Harness:
    """What all tests of this process share.

    Raises:
        UsageError: an option, or a variable in its place, is wrong.
    """
    if _HARNESS not in config.stash:
        from e2e_ansible.pytest_plugin.harness import Harness
        from e2e_ansible.pytest_plugin.settings import Settings

        config.stash[_HARNESS] = Harness(Settings.of(config), shared_folder(config))
    return config.stash[_HARNESS]


def close(config: pytest.Config) -> list[str]:
    """End what was started; of the process that began all others, also what others have left. Says what was left."""
    if _HARNESS in config.stash:
        config.stash[_HARNESS].close()
    if hasattr(config, "workerinput") or _FOLDER not in config.stash:
        return []
    folder = config.stash[_FOLDER]
    if not folder.is_dir():
        return []
    from e2e_ansible.pytest_plugin.register import RUNS, remove_lost

    told = remove_lost(folder / RUNS)
    shutil.rmtree(folder, ignore_errors=True)
    return told
