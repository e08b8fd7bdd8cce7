# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses the nodes that a fault goes to, from a fresh look at all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

try:
    from e2e_ansible.errors import E2EError
    from e2e_ansible.faults.again import Choice, choice, keep_choice
    from e2e_ansible.faults.base import PowerFault
    from e2e_ansible.faults.choose import Candidate, candidate, choose
    from e2e_ansible.faults.registry import fault_named, options_of
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

_NEED = "the Python package e2e-ansible is needed beside Ansible"


class ActionModule(ActionBase):
    """Result: targets, hosts (where the fault is injected), power, reason, e2e_targets."""

    _VALID_ARGS = frozenset(("target", "fault", "options", "seed", "candidates", "look"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Choose, or fail: never is another node taken."""
        if MISSING:
            raise AnsibleActionFail(f"{self._task.action}: {_NEED}: {MISSING}") from MISSING
        variables = task_vars or {}
        result = super().run(tmp, variables)
        args = self.validate_argument_spec(
            {
                "target": {"type": "str", "required": True},
                "fault": {"type": "str", "required": True},
                "options": {"type": "dict", "default": {}},
                "seed": {"type": "int"},
                "candidates": {"type": "list", "elements": "str", "required": True},
                "look": {"type": "str", "default": ""},
            }
        )[1]
        try:
            fault = fault_named(args["fault"])
            options = options_of(fault, args["options"])
            before = choice(os.environ)
            if before is not None:
                return {**result, **_chosen(fault, before, "as before the run died")}
            hostvars = variables["hostvars"]
            there = [_seen(name, hostvars, args["look"]) for name in args["candidates"]]
            found = choose(args["target"], there, args["seed"])
        except E2EError as error:
            said = f"{error} ({error.hint})" if error.hint else str(error)
            return {**result, "failed": True, "changed": False, "msg": said}
        hosts = fault.places(options, found.targets, args["candidates"])
        if not hosts:
            text = f"{fault.name} has no node to go to: {', '.join(found.targets)} leave none"
            return {**result, "failed": True, "changed": False, "msg": text}
        made = Choice(tuple(found.targets), tuple(hosts))
        if not self._task.check_mode:
            keep_choice(os.environ, made)
        return {**result, **_chosen(fault, made, found.reason)}


def _chosen(fault: Any, made: Choice, reason: str) -> dict[str, Any]:
    return {
        "changed": False,
        "targets": list(made.targets),
        "hosts": list(made.hosts),
        "power": isinstance(fault, PowerFault),
        "packages": list(getattr(fault, "packages", ())),
        "reason": reason,
        "e2e_targets": list(made.hosts),
        "e2e_proof": {"act": "chosen", "proved": True, "how": f"{reason}: {', '.join(made.hosts)}"},
    }


def _seen(name: str, hostvars: Mapping[str, Any], look: str) -> Candidate:
    theirs = hostvars.get(name, {})
    observation = (theirs.get(look) or {}).get("observation") if look else None
    if observation:
        return candidate(observation)
    return Candidate(name=name, labels=tuple(theirs.get("e2e_labels") or ()))
