# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a load tool over the connection itself, with the address of the database, and brings back what it printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.load.running import ARGUMENTS, run_load
    from e2e_ansible.nodes.acting import act
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: `e2e_load`, one run of the tool as it was; of a run that measures nothing its outputs and status."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the tool and tell what came of it."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        return act(self, ARGUMENTS, task_vars, self._do)

    def _do(self, args: dict[str, Any], variables: Mapping[str, Any]) -> Mapping[str, Any]:
        host = str(variables.get("inventory_hostname") or "")
        try:
            return run_load(self._low_level_execute_command, args, variables["hostvars"], host)
        except ValueError as error:  # a wrong use is one too
            raise AnsibleActionFail(f"{self._task.action}: {error}") from None
