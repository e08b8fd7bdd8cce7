# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Powers one node by its provider."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.errors import E2EError, GuardError
    from e2e_ansible.nodes.power import GRACEFUL, HARD, STATE, meant, operate
    from e2e_ansible.providers.base import Operation
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: changed, operation, before, after, detail, side_effects, address_changed."""

    _VALID_ARGS = frozenset(("operation", "mode", "deadline_seconds"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do the operation, or say why not."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        variables = task_vars or {}
        result = super().run(tmp, variables)
        args = self.validate_argument_spec(
            {
                "operation": {
                    "type": "str",
                    "default": STATE,
                    "choices": [STATE, *(each.value for each in Operation)],
                },
                "mode": {"type": "str", "default": GRACEFUL, "choices": [GRACEFUL, HARD]},
                "deadline_seconds": {"type": "float", "default": 300.0},
            }
        )[1]
        host = str(variables.get("inventory_hostname", ""))
        try:
            operation = meant(args["operation"], args["mode"])
            done = operate(
                variables, host, operation, args["deadline_seconds"], check_mode=self._task.check_mode
            )
        except GuardError as error:
            return {**result, "failed": True, "changed": False, "msg": f"refused: {error}"}
        except E2EError as error:
            said = f"{error} ({error.hint})" if error.hint else str(error)
            return {**result, "failed": True, "changed": False, "msg": said, "hint": error.hint}
        return {**result, "operation": operation, **done.model_dump(mode="json")}
