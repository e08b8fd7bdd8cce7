# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a node of a deployment a host of this run, whatever the inventory of the job knows."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from e2e_ansible.errors import E2EError
from e2e_ansible.providers.base import Node
from e2e_ansible.providers.registry import get_provider


class ActionModule(ActionBase):
    """Result: changed, add_host (as of ansible.builtin.add_host), power; skipped for a node that is not there."""

    _VALID_ARGS = frozenset(("provider", "deployment", "name", "groups", "answering", "if_there"))
    _supports_check_mode = True
    BYPASS_HOST_LOOP = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the provider for the node.

        With `answering` a node that is off or gone does not join, with `if_there` one that is gone.
        """
        result = super().run(tmp, task_vars or {})
        _, args = self.validate_argument_spec(
            {
                "provider": {"type": "str", "required": True},
                "deployment": {"type": "str", "required": True},
                "name": {"type": "str", "required": True},
                "groups": {"type": "list", "elements": "str", "default": []},
                "answering": {"type": "bool", "default": False},
                "if_there": {"type": "bool", "default": False},
            }
        )
        try:
            node = _node(args["provider"], args["deployment"], args["name"])
        except E2EError as error:
            return {**result, "failed": True, "msg": f"{error} ({error.hint})" if error.hint else str(error)}
        if args["answering"] and (node is None or node.power.value not in ("on", "unknown")):
            return {**result, "skipped": True, "msg": "it is off, or not there"}
        if args["if_there"] and node is None:
            return {**result, "skipped": True, "msg": "it is gone"}
        if node is None:
            text = (
                f"deployment {args['deployment']!r} has no node {args['name']}; a step deploy makes its nodes"
            )
            return {**result, "failed": True, "msg": text}
        return {**result, "changed": False, "power": node.power.value, "add_host": _host(node, args)}


def _node(provider: str, deployment: str, name: str) -> Node | None:
    driver = get_provider(provider)
    nodes = driver.nodes(deployment) if deployment in driver.deployments() else ()
    return next((node for node in nodes if node.name == name), None)


def _host(node: Node, args: dict[str, Any]) -> dict[str, Any]:
    variables = {
        "e2e_provider": args["provider"],
        "e2e_deployment": args["deployment"],
        **node.variables,
        "e2e_power": node.power.value,
        "e2e_labels": list(node.labels),
    }
    groups = ["e2e_nodes", *node.labels, *args["groups"]]
    return {"host_name": node.name, "groups": groups, "host_vars": variables}
