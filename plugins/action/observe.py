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
_ARGUMENTS: dict[str, dict[str, object]] = {
    "postgres": {"type": "bool", "default": True},
    "integrity": {"type": "bool", "default": False},
    "patroni": {"type": "bool", "default": False},
    "services": {"type": "bool", "default": False},
    "exporter": {"type": "bool", "default": False},
    "backup": {"type": "bool", "default": False},
    "load": {"type": "bool", "default": False},
    "system": {"type": "bool", "default": True},
    "read_only": {"type": "bool", "default": False},
    "amcheck": {"type": "bool", "default": False},
    "amcheck_seconds": {"type": "float", "default": 60.0},
    "admin_ui": {"type": "bool", "default": False},
    "admin_ui_port": {"type": "int", "default": 9090},
    "new_login": {"type": "bool", "default": True},
}


class ActionModule(ActionBase):
    """Result: changed, observation (the fields of NodeObservation)."""

    _VALID_ARGS = frozenset(_ARGUMENTS)
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Gather and return the observation of this host."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        variables = task_vars or {}
        result = super().run(tmp, variables)
        args = self.validate_argument_spec(_ARGUMENTS)[1]
        if args["amcheck_seconds"] <= 0:
            said = f"amcheck_seconds is {args['amcheck_seconds']:g}; it must be above 0, such as 60"
            return {**result, "failed": True, "msg": said}
        link = Link(self, variables)
        host = str(variables.get("inventory_hostname", ""))
        ask = link.probe_anew if args.pop("new_login") else link.probe_greeted
        observation = look(host, variables, link.address, Wanted.model_validate(args), ask)
        return {**result, "changed": False, "observation": observation.model_dump(mode="json")}
