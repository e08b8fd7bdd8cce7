# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a script of a role over the connection itself: one command, where copying it first takes five."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.nodes.acting import act
    from e2e_ansible.nodes.script import ARGUMENTS, run_script
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: as `ansible.builtin.script`, with both outputs apart."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the script and tell what came of it."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        return act(self, ARGUMENTS, task_vars, self._do)

    def _do(self, args: dict[str, Any], variables: Mapping[str, Any]) -> Mapping[str, Any]:
        path = Path(self._find_needle("files", args["script"]))
        return run_script(self._low_level_execute_command, path, args["argv"])
