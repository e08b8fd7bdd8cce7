"""What the steps of a test returned, for later steps: kept in memory, and in the file that playbooks read."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path

from e2e_ansible.compile.compiler import REGISTERED_FILE
from e2e_ansible.compile.render import REGISTERED
from e2e_ansible.judge.condition import Outputs
from e2e_ansible.run.folder import write_private

__all__ = ["Registered"]


class Registered:
    """Several steps may add to it at once; the file is always whole."""

    def __init__(self, plan_folder: Path) -> None:
        self._path = plan_folder / REGISTERED_FILE
        self._lock = threading.Lock()
        self._values: dict[str, Mapping[str, object]] = {}

    def add(self, name: str, values: Mapping[str, object]) -> None:
        """Give the output of a step to later ones.

        Raises:
            OSError: the file could not be written.
        """
        with self._lock:
            self._values[name] = dict(values)
            marked = {step: _inert(found) for step, found in self._values.items()}
            write_private(self._path, json.dumps({REGISTERED: marked}) + "\n")

    def outputs(self) -> Outputs:
        """All that is known now."""
        with self._lock:
            return dict(self._values)


def _inert(values: Mapping[str, object]) -> Mapping[str, object]:
    """Marked so that Ansible never takes it for a template."""
    return {
        key: {"__ansible_unsafe": value} if isinstance(value, str) else value for key, value in values.items()
    }
