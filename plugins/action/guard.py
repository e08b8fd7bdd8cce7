# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses a destructive act that could hit the controller or a machine no one meant."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.nodes import probe
    from e2e_ansible.nodes.checkpoint import Target, check
    from e2e_ansible.nodes.guard import Identity
    from e2e_ansible.nodes.link import Link
    from e2e_ansible.nodes.look import name_refusal, power_of
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: changed, identity, boot, and with the option sysrq also sysrq_allowed and sysrq_reason."""

    _VALID_ARGS = frozenset(("sysrq",))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Compare both identities; fails with a message that starts with 'refused: '."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        variables = task_vars or {}
        result = super().run(tmp, variables)
        args = self.validate_argument_spec({"sysrq": {"type": "bool", "default": False}})[1]
        link = Link(self, variables)
        host = str(variables.get("inventory_hostname", ""))
        shared = name_refusal(variables, host)
        if shared:
            return {**result, "failed": True, "changed": False, "msg": f"refused: {shared}"}
        node = power_of(variables, host).node
        target = Target(
            host=host,
            delegated_to=str(self._task.delegate_to or ""),
            connection=link.connection,
            address=link.address,
            in_inventory=host in (variables.get("groups") or {}).get("all", []),
            expected_machine_id=node.machine_id if node else "",
        )
        verdict = check(target, Identity.model_validate(probe.identity()), link.probe, sysrq=args["sysrq"])
        return {**result, **verdict}
