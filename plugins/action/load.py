# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a load tool over the connection itself, with the address of the database, and brings back what it printed."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.errors import UsageError
    from e2e_ansible.load.running import ARGUMENTS, run_load
except ImportError as error:
    MISSING: ImportError | None = error
    ARGUMENTS = {}
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: `e2e_load`, one run of the tool as it was; of a run that measures nothing its outputs and status."""

    _VALID_ARGS = frozenset(ARGUMENTS)

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the tool and tell what came of it."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        variables = task_vars or {}
        result = super().run(tmp, variables)
        args = self.validate_argument_spec(ARGUMENTS)[1]
        host = str(variables.get("inventory_hostname") or "")
        try:
            done = run_load(self._low_level_execute_command, args, variables["hostvars"], host)
        except (UsageError, ValueError) as error:
            raise AnsibleActionFail(f"{self._task.action}: {error}") from None
        return {**result, **done}
