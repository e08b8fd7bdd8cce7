"""Collects the logs of all nodes that may be on into the run folder, before anything is removed."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.compile.compiler import EVIDENCE_PLAYBOOK, INVENTORY
from e2e_ansible.engine.protocol import Ended, PlayRequest
from e2e_ansible.errors import E2EError
from e2e_ansible.judge.entry import Evidence
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Node
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import TestFolder

__all__ = ["EVIDENCE", "collect", "nodes_there"]

EVIDENCE = "evidence"
_DEADLINE_SECONDS = 180
_ALWAYS_THERE = "journal.txt"
_ANSWERING = (PowerState.ON, PowerState.UNKNOWN)


def collect(
    context: RunContext,
    folder: TestFolder,
    provider: str,
    deployment: str,
    token: str,
    *,
    name: str = EVIDENCE,
) -> Evidence | None:
    """Run the role `collect_logs` on every node that may be on; None when there is none. A deadline of its own.

    `name` is the folder for it in that of the test.
    """
    there = nodes_there(context, provider, deployment)
    nodes = [node for node in there if node.power in _ANSWERING]
    if not nodes:
        return None
    target = folder.path / name
    target.mkdir(mode=0o700, exist_ok=True)
    request = PlayRequest(
        project=folder.plan,
        playbook=EVIDENCE_PLAYBOOK,
        inventory=INVENTORY,
        artifacts=target,
        deadline_seconds=_DEADLINE_SECONDS,
        token=f"{token}/{name}",
        environment=dict(context.environment) | {"E2E_DEPLOYMENT": deployment, "E2E_EVIDENCE": str(target)},
        limit=",".join(node.name for node in nodes),
    )
    outcome = context.engine.run(request, lambda event: None, context.abandon)
    missing = [node.name for node in nodes if not (target / node.name / _ALWAYS_THERE).is_file()]
    ok = outcome.ended is Ended.COMPLETED and not missing
    text = f"logs of {', '.join(node.name for node in nodes)}"
    if not ok:
        text = f"{text} are not complete: {outcome.message or 'none of ' + ', '.join(missing)}"
    others = [f"; {node.name} is {node.power}" for node in there if node not in nodes]
    return Evidence(at=context.now(), folder=name, message=text + "".join(others))


def nodes_there(context: RunContext, provider: str, deployment: str) -> Sequence[Node]:
    """The nodes of a deployment; none when it is gone, or its provider does not answer."""
    driver = context.provider(provider)
    try:
        if deployment not in driver.deployments():
            return ()
        return driver.nodes(deployment)
    except E2EError:
        return ()
