# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds still, asks, stops and knows the clients that live on nodes, for step.yml; always done on the controller."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.action import ActionBase

from e2e_ansible.awx.carried import CLIENTS, Told, unpack
from e2e_ansible.awx.clients import JobClients, client_folder
from e2e_ansible.errors import E2EError
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.registry import get_provider

_ACTS = ("start", "pause", "look", "resume", "stop", "rest")


class ActionModule(ActionBase):
    """Result: changed, e2e_clients (histories and what is said), the facts `e2e_told_now` and `e2e_left`."""

    _VALID_ARGS = frozenset(("act", "provider", "deployment", "told", "client", "node"))
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do it; what goes wrong with a client is in the result and fails nothing here."""
        result = super().run(tmp, task_vars or {})
        _, args = self.validate_argument_spec(
            {
                "act": {"type": "str", "required": True, "choices": list(_ACTS)},
                "provider": {"type": "str", "required": True},
                "deployment": {"type": "str", "required": True},
                "told": {"type": "str", "default": ""},
                "client": {"type": "str", "default": ""},
                "node": {"type": "str", "default": ""},
            }
        )
        folder = client_folder(default_home(), args["deployment"])
        if not args["deployment"] or (args["act"] != "start" and not folder.exists()):
            return {**result, "changed": False, "skipped": True, "msg": "no client was ever started"}
        try:
            offsets = {str(name): int(size) for name, size in json.loads(args["told"] or "{}").items()}
            told = self._act(args, JobClients(folder, _nodes(args), offsets))
        except (E2EError, OSError, ValueError, AttributeError, TypeError) as error:
            return {**result, "failed": True, "msg": f"clients: {error}"}
        for piece in told.pieces:
            offsets[piece.name] = piece.offset + len(unpack(piece.data))
        facts = {"e2e_told_now": json.dumps(offsets), "e2e_left": told.left}
        return {**result, "changed": False, CLIENTS: told.model_dump(mode="json"), "ansible_facts": facts}

    @staticmethod
    def _act(args: dict[str, Any], clients: JobClients) -> Told:
        if args["act"] == "start":
            return clients.start(args["client"], args["node"])
        if args["act"] == "stop":
            return clients.stop(args["client"])
        told: Told = getattr(clients, args["act"])()
        return told


def _nodes(args: dict[str, Any]) -> Any:
    """The nodes of the deployment as the provider has them, asked once and only if somebody wants to know."""
    found: list[Any] = []

    def nodes() -> list[Any]:
        driver = get_provider(args["provider"])
        if not found and args["deployment"] in driver.deployments():
            found.extend(driver.nodes(args["deployment"]))
        return found

    return nodes
