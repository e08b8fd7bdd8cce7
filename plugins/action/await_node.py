# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for a node and keeps the proof."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.nodes.awaiting import Until, Wait, await_node
    from e2e_ansible.nodes.freshness import touch
    from e2e_ansible.nodes.link import Link
    from e2e_ansible.nodes.look import power_of
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: changed, e2e_proof (act, proved, how, before, after, seconds)."""

    _VALID_ARGS = frozenset(("until", "act", "since", "deadline_seconds", "interval_seconds", "required"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Poll until the condition holds; fails at the deadline unless it is not required."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        variables = task_vars or {}
        result = super().run(tmp, variables)
        args = self.validate_argument_spec(
            {
                "until": {"type": "str", "required": True, "choices": [each.value for each in Until]},
                "act": {"type": "str", "default": ""},
                "since": {"type": "list", "elements": "str"},
                "deadline_seconds": {"type": "float", "default": 60.0},
                "interval_seconds": {"type": "float", "default": 0.5},
                "required": {"type": "bool", "default": True},
            }
        )[1]
        required = args.pop("required")
        if self._task.check_mode:
            return {
                **result,
                "skipped": True,
                "changed": False,
                "msg": "nothing happened, so there is nothing to await",
            }
        problem = _problem(args)
        if problem:
            return {**result, "failed": True, "msg": problem}
        link = Link(self, variables)
        host = str(variables.get("inventory_hostname", ""))
        proof = await_node(Wait.model_validate(args), lambda: power_of(variables, host), link.probe)
        touch(str(variables.get("e2e_provider") or ""), str(variables.get("e2e_deployment") or ""))
        result |= {"changed": False, "e2e_proof": proof.model_dump(mode="json")}
        if required and not proof.proved:
            result |= {"failed": True, "msg": f"{host}: {proof.act} {proof.how}"}
        return result


def _problem(args: dict[str, Any]) -> str:
    since = args.get("since")
    if since and (len(since) != 2 or not str(since[1]).isdigit()):
        return "since must be [boot_id, pid1_start], as the result key boot of guard gives it"
    if not since and args["until"] == Until.REBOOTED:
        return "until: rebooted needs since, the boot that was to end"
    return ""
