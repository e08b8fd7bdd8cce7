# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes or removes the nodes of a deployment."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from pydantic import ValidationError

    from e2e_ansible.errors import E2EError
    from e2e_ansible.nodes.provisioning import Request, provision
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: changed, nodes (name, labels, power, address of each)."""

    _VALID_ARGS = frozenset(("state", "provider", "deployment", "nodes", "parameters", "owner"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Bring the deployment to the state asked for."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        result = super().run(tmp, task_vars or {})
        args = self.validate_argument_spec(
            {
                "state": {"type": "str", "default": "present", "choices": ["prepared", "present", "absent"]},
                "provider": {"type": "str", "required": True},
                "deployment": {"type": "str", "required": True},
                "nodes": {"type": "list", "elements": "dict", "default": []},
                "parameters": {"type": "dict", "default": {}},
                "owner": {"type": "str", "default": ""},
            }
        )[1]
        try:
            done = provision(Request.model_validate(args), check_mode=self._task.check_mode)
        except ValidationError as error:
            return {**result, "failed": True, "msg": f"nodes must be a list of name and labels: {error}"}
        except E2EError as error:
            return {**result, "failed": True, "msg": str(error), "hint": error.hint}
        return {**result, **done}
