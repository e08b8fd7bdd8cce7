# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the checks of a `validate` step against one look at all nodes, so that a workflow takes the right edge."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase

from e2e_ansible.awx.carried import Told
from e2e_ansible.awx.hold import hold
from e2e_ansible.awx.job_variables import Asked
from e2e_ansible.errors import E2EError


class ActionModule(ActionBase):
    """Result: changed, held, said (a line for each check)."""

    _VALID_ARGS = frozenset((*Asked.model_fields, "nodes", "observations", "clients"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge the look."""
        result = super().run(tmp, task_vars or {})
        args = dict(self._task.args)
        nodes, observations = args.pop("nodes", []), args.pop("observations", [])
        clients = args.pop("clients", None)
        try:
            known = Told.model_validate(clients) if clients else None
            told = hold(Asked.model_validate(args), observations, time.time(), nodes, known)
        except (E2EError, ValueError) as error:
            return {**result, "failed": True, "msg": str(error)}
        return {**result, "changed": False, **told}
