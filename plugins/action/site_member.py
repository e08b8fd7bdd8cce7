# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives a member of a site its part and keeps the proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.nodes.acting import act
    from e2e_ansible.nodes.site_act import ARGUMENTS, act_on_site
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: changed, msg, e2e_proof (act, proved, how, seconds)."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do it on the node and tell."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        return act(self, ARGUMENTS, task_vars, self._do)

    def _do(self, args: dict[str, Any], variables: Mapping[str, Any]) -> Mapping[str, Any]:
        named = str(variables.get("ansible_python_interpreter") or "")
        interpreter = named if named.startswith("/") else "python3"
        return act_on_site(self._low_level_execute_command, interpreter, args, check=self._task.check_mode)
