# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds what a load tool measured against the limits of its step, so that a workflow takes the right edge."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from e2e_ansible.awx.loads import hold_load
from e2e_ansible.errors import E2EError


class ActionModule(ActionBase):
    """Result: changed, held, said (a line for each limit that is broken or was not measured)."""

    _VALID_ARGS = frozenset(("limits", "measured"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge the load."""
        result = super().run(tmp, task_vars or {})
        try:
            told = hold_load(self._task.args["limits"], self._task.args["measured"])
        except E2EError as error:
            return {**result, "failed": True, "msg": str(error)}
        return {**result, "changed": False, **told}
