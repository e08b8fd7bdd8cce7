# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one command on all hosts of a play: as `plain_command` on each, in one process of Ansible for all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.engine.wide import FOLDER_VARIABLE, Log
    from e2e_ansible.nodes.acting import act
    from e2e_ansible.nodes.plain import ARGUMENTS, run_plain
    from e2e_ansible.nodes.wide import Unfit, actions, run_all, summary
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: done, msg, failed_hosts, unreachable_hosts."""

    BYPASS_HOST_LOOP = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run it everywhere, or nowhere if a host needs more than this can do."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        return act(self, ARGUMENTS, task_vars, self._do)

    def _do(self, args: dict[str, Any], variables: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            made = actions(self, variables)
        except Unfit as reason:
            return {"done": False, "changed": False, "msg": f"not done at once: {reason}"}
        jobs = {
            host: partial(run_plain, way._low_level_execute_command, **args) for host, way in made.items()
        }
        folder = os.environ.get(FOLDER_VARIABLE, "")
        with Log(folder, self._task._uuid) as log:
            results = run_all(jobs, int(context.CLIARGS["forks"]), log)
        if not folder:
            for host, found in results.items():
                self._display.v(f"{host}: {found}")
        return {"done": True, **summary(results)}
