# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command over the connection itself: no Python on the target, no terminal, both outputs apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.nodes.acting import act
    from e2e_ansible.nodes.plain import ARGUMENTS, run_plain
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: as `ansible.builtin.command`; cmd is the list of arguments, delta covers the way there and back."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the command and tell what came of it."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        return act(self, ARGUMENTS, task_vars, self._do)

    def _do(self, args: dict[str, Any], variables: Mapping[str, Any]) -> Mapping[str, Any]:
        return run_plain(self._low_level_execute_command, **args)
