# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Injects a fault on one node and proves its effect; heals what is open there and proves that."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.deadline import Deadline
    from e2e_ansible.errors import E2EError, GuardError
    from e2e_ansible.faults.task import FaultTask
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"
_PHASES = ("inject", "heal", "intend", "note", "hold", "verify")
_ARGUMENTS: dict[str, dict[str, object]] = {
    "phase": {"type": "str", "required": True, "choices": list(_PHASES)},
    "fault": {"type": "str", "default": ""},
    "options": {"type": "dict", "default": {}},
    "targets": {"type": "list", "elements": "str", "default": []},
    "id": {"type": "str", "default": ""},
    "name": {"type": "str", "default": ""},
    "expires_seconds": {"type": "float", "default": 3600.0},
    "seconds": {"type": "float", "default": 0.0},
    "proved": {"type": "bool"},
    "message": {"type": "str", "default": ""},
}


class ActionModule(ActionBase):
    """Result: changed, e2e_proof (act, proved, how, seconds); for intend also role and variables.

    For verify: done, since (the boot that was to end) and reachable.
    """

    _VALID_ARGS = frozenset(_ARGUMENTS)
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do one phase. In check mode nothing is done and nothing is written down."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        variables = task_vars or {}
        result = super().run(tmp, variables)
        args = self.validate_argument_spec(_ARGUMENTS)[1]
        if self._task.check_mode:
            return {**result, "skipped": True, "changed": False, "msg": "check mode: not done"}
        if args["phase"] == "hold":
            Deadline(args["seconds"]).pause(args["seconds"])
            return {**result, "changed": False}
        return {**result, **self._phase(args, variables)}

    def _phase(self, args: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        if args["phase"] != "heal" and not args["fault"]:
            return {"failed": True, "msg": "fault is missing: which one?"}
        try:
            task = FaultTask(self, variables, str(self._task.delegate_to or ""))
            done: dict[str, Any] = getattr(task, args["phase"])(args)
        except E2EError as error:
            refused = "refused: " if isinstance(error, GuardError) else ""
            hint = f" ({error.hint})" if error.hint else ""
            return {"failed": True, "changed": False, "msg": f"{refused}{error}{hint}"}
        except OSError as error:
            return {"failed": True, "changed": False, "msg": f"the ledger of faults: {error}"}
        return done
