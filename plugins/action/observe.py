# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at one node; a node that is away is an answer, never a failure."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.nodes.link import Link
    from e2e_ansible.nodes.look import Wanted, look
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: changed, observation (the fields of NodeObservation)."""

    _VALID_ARGS = frozenset(("postgres", "integrity", "admin_ui", "admin_ui_port", "new_login"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Gather and return the observation of this host."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        variables = task_vars or {}
        result = super().run(tmp, variables)
        args = self.validate_argument_spec(
            {
                "postgres": {"type": "bool", "default": True},
                "integrity": {"type": "bool", "default": False},
                "admin_ui": {"type": "bool", "default": False},
                "admin_ui_port": {"type": "int", "default": 9090},
                "new_login": {"type": "bool", "default": True},
            }
        )[1]
        link = Link(self, variables)
        host = str(variables.get("inventory_hostname", ""))
        ask = link.probe_anew if args.pop("new_login") else link.probe_greeted
        observation = look(host, variables, link.address, Wanted.model_validate(args), ask)
        return {**result, "changed": False, "observation": observation.model_dump(mode="json")}
