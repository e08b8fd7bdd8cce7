# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a script of a role over the connection itself: one command, where copying it first takes five."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.errors import UsageError
    from e2e_ansible.nodes.script import ARGUMENTS, run_script
except ImportError as error:
    MISSING: ImportError | None = error
    ARGUMENTS = {}
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: as `ansible.builtin.script`, with both outputs apart."""

    _VALID_ARGS = frozenset(ARGUMENTS)
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the script and tell what came of it."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        result = super().run(tmp, task_vars or {})
        args = self.validate_argument_spec(ARGUMENTS)[1]
        path = Path(self._find_needle("files", args["script"]))
        try:
            return {**result, **run_script(self._low_level_execute_command, path, args["argv"])}
        except UsageError as error:
            raise AnsibleActionFail(str(error)) from None
