# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Powers one node by its provider."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from e2e_ansible.errors import E2EError, GuardError
from e2e_ansible.nodes.power import STATE, operate
from e2e_ansible.providers.base import Operation


class ActionModule(ActionBase):
    """Result: changed, before, after, detail."""

    _VALID_ARGS = frozenset(("operation", "deadline_seconds"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do the operation, or say why not."""
        variables = task_vars or {}
        result = super().run(tmp, variables)
        _, args = self.validate_argument_spec(
            {
                "operation": {
                    "type": "str",
                    "default": STATE,
                    "choices": [STATE, *(each.value for each in Operation)],
                },
                "deadline_seconds": {"type": "float", "default": 300.0},
            }
        )
        host = str(variables.get("inventory_hostname", ""))
        try:
            done = operate(
                variables, host, args["operation"], args["deadline_seconds"], check_mode=self._task.check_mode
            )
        except GuardError as error:
            return {**result, "failed": True, "changed": False, "msg": f"refused: {error}"}
        except E2EError as error:
            return {**result, "failed": True, "changed": False, "msg": str(error), "hint": error.hint}
        return {**result, **done.model_dump(mode="json")}
