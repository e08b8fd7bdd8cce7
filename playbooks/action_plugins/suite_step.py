# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a step of a suite from plain variables, for step.yml."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from e2e_ansible.awx.act import Asked, read_step
from e2e_ansible.errors import E2EError


class ActionModule(ActionBase):
    """Result: act, the fact `e2e_act` as well."""

    _VALID_ARGS = frozenset(Asked.model_fields)
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read it, or say what is wrong with it and what is nearest."""
        result = super().run(tmp, task_vars or {})
        try:
            act = read_step(Asked.model_validate(self._task.args))
        except E2EError as error:
            return {**result, "failed": True, "msg": f"{error} ({error.hint})" if error.hint else str(error)}
        except ValueError as error:
            return {**result, "failed": True, "msg": f"the variables of the step are wrong: {error}"}
        return {**result, "changed": False, "ansible_facts": {"e2e_act": act}}
