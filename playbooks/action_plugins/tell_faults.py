# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the ledger of faults of a deployment in the result of a job; always done on the controller."""

from __future__ import annotations

import os
import time
from typing import Any

from ansible.plugins.action import ActionBase

from e2e_ansible.awx.carried import FAULTS, pack
from e2e_ansible.errors import E2EError
from e2e_ansible.faults.ledger import Line, append, ledger_path, read
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.registry import get_provider

_GONE = "the node is gone, and the fault with it"


class ActionModule(ActionBase):
    """Result: changed, e2e_faults (the ledger, packed); skipped without a ledger."""

    _VALID_ARGS = frozenset(("provider", "deployment", "gone"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read it; with `gone`, a fault of a node that is gone is written down as healed before."""
        result = super().run(tmp, task_vars or {})
        _, args = self.validate_argument_spec(
            {
                "provider": {"type": "str", "required": True},
                "deployment": {"type": "str", "required": True},
                "gone": {"type": "bool", "default": False},
            }
        )
        path = ledger_path(os.environ, default_home(), args["deployment"])
        if not path.exists():
            return {**result, "changed": False, "skipped": True, "msg": "no fault was ever injected"}
        try:
            if args["gone"]:
                _close(args["provider"], args["deployment"])
            ledger = pack(path.read_bytes())
        except (E2EError, OSError) as error:
            return {**result, "failed": True, "msg": f"the ledger of faults: {error}"}
        return {**result, "changed": False, FAULTS: ledger}


def _close(provider: str, deployment: str) -> None:
    path = ledger_path(os.environ, default_home(), deployment)
    driver = get_provider(provider)
    there = {node.name for node in driver.nodes(deployment)} if deployment in driver.deployments() else set()
    for record in read(path):
        if record.open and record.node not in there:
            line = Line(at=time.time(), fault_id=record.id, event="healed", proved=True, message=_GONE)
            append(path, line)
