"""Checks about machines: do they run, does ssh answer, are they off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from e2e_ansible.checks.base import Check, Outcome, Situation, failed, passed, unknown
from e2e_ansible.nodes.observation import NodeObservation, PowerState, Unreachable

__all__ = [
    "CHECKS",
    "STATES",
    "Finding",
    "all_nodes_running",
    "blind",
    "blind_among",
    "decide",
    "is_running",
    "node_status",
    "not_running",
    "off_finding",
    "seen",
    "ssh_connectivity",
    "unseen_among",
    "vms_powered_off",
]

STATES = ("running", "stopped", "unreachable")
_OURS = (Unreachable.AUTH, Unreachable.LOCAL)
_GONE = (PowerState.OFF, PowerState.ABSENT)
_NOT_UP = ("stopping", "maintenance")


@dataclass(frozen=True)
class Finding:
    """One thing that speaks against a check. Not `decided`: it could not be seen and proves neither side."""

    text: str
    infrastructure: bool = False
    decided: bool = True


def decide(findings: Iterable[Finding], otherwise: str) -> Outcome:
    """Fail on a decided finding, unknown on an undecided one, else pass with the sentence `otherwise`.

    The failure is the infrastructure's only if every decided finding is.
    """
    found = tuple(findings)
    text = "; ".join(finding.text for finding in found)
    faults = [finding for finding in found if finding.decided]
    if faults:
        return failed(text, infrastructure=all(fault.infrastructure for fault in faults))
    return unknown(text) if found else passed(otherwise)


def seen(node: NodeObservation) -> str:
    """A node and what was seen of it, for messages."""
    if node.reachable:
        state = f", system {node.system_state}" if node.system_state else ""
        return f"{node.node} (power {node.power}, ssh answers{state})"
    if node.power in _GONE:
        return f"{node.node} (power {node.power})"
    reason = f": {node.reason}" if node.reason else ""
    return f"{node.node} (power {node.power}, no ssh, {node.unreachable or 'no cause given'}{reason})"


def blind(node: NodeObservation) -> bool:
    """Nothing is known of it because of a wrong key or trouble on the controller. Off needs no ssh."""
    return not node.reachable and node.unreachable in _OURS and node.power not in _GONE


def is_running(node: NodeObservation) -> bool:
    """On (or not known to be off), answering over ssh, and neither shutting down nor in rescue mode."""
    return node.running and node.system_state not in _NOT_UP


def _not_the_product(node: NodeObservation) -> bool:
    return blind(node) or node.power is PowerState.ABSENT


def not_running(nodes: Iterable[NodeObservation]) -> Iterator[Finding]:
    """A finding for each node that does not run."""
    for node in nodes:
        if not is_running(node):
            yield Finding(f"{seen(node)} does not run", _not_the_product(node))


def unseen_among(situation: Situation, names: Iterable[str]) -> Outcome | None:
    """Unknown when one of the `names` is missing from the observation, else None."""
    lost = [name for name in names if name in situation.unseen]
    return unknown(f"not observed: {', '.join(lost)}") if lost else None


def blind_among(nodes: Iterable[NodeObservation]) -> Outcome | None:
    """Unknown when one of the nodes could not be looked at through no fault of its own, else None."""
    lost = [seen(node) for node in nodes if blind(node)]
    return unknown(f"could not be looked at: {', '.join(lost)}") if lost else None


def _units(nodes: Iterable[NodeObservation]) -> str:
    broken = [f"{node.node}: {', '.join(node.failed_units)}" for node in nodes if node.failed_units]
    return f"; failed units on {'; '.join(broken)}" if broken else ""


def _names(situation: Situation) -> str:
    return ", ".join(situation.expected)


def all_nodes_running(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """Every expected node is on and answers over ssh; failed units are told but do not fail it."""
    missing = unseen_among(situation, situation.expected)
    if missing:
        return missing
    return decide(not_running(situation.nodes), f"{_names(situation)} run{_units(situation.nodes)}")


def ssh_connectivity(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """Every expected node answers over ssh."""
    missing = unseen_among(situation, situation.expected)
    if missing:
        return missing
    silent = (node for node in situation.nodes if not node.reachable)
    findings = (Finding(f"{seen(node)} does not answer", _not_the_product(node)) for node in silent)
    return decide(findings, f"ssh answers on {_names(situation)}")


def _power_finding(node: NodeObservation) -> Finding | None:
    """What the provider's word has against the node being off."""
    if node.power is PowerState.OFF:
        return None
    if node.power is PowerState.UNKNOWN:
        return Finding(f"the provider does not know the power of {node.node}", decided=False)
    if node.power is PowerState.ABSENT:
        return Finding(f"{node.node} does not exist, so it was not just switched off", infrastructure=True)
    return Finding(f"{node.node} is on")


def off_finding(node: NodeObservation) -> Finding | None:
    """What speaks against the node being off: the provider's word, and an answer over ssh."""
    if node.reachable:
        return Finding(f"{seen(node)} answers over ssh, so it is not off")
    return _power_finding(node)


def vms_powered_off(situation: Situation, _arguments: Sequence[str]) -> Outcome:
    """Every expected node of the cluster is off by the word of the provider, and nothing but that."""
    missing = unseen_among(situation, situation.cluster_names)
    if missing:
        return missing
    findings = filter(None, map(_power_finding, situation.cluster))
    return decide(findings, f"the provider says that {', '.join(situation.cluster_names)} are off")


def node_status(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """One node is in one state: running (default), stopped, or unreachable."""
    name, state = arguments[0], arguments[1] if len(arguments) > 1 else "running"
    node = situation.observation.node(name)
    if name not in situation.expected or node is None:
        return unknown(f"{name} was not observed or is no node of this test")
    if state == "running":
        return decide(not_running([node]), f"{seen(node)} runs{_units([node])}")
    if state == "stopped":
        return decide(filter(None, [off_finding(node)]), f"{seen(node)} is stopped")
    if state == "unreachable":
        return _unreachable(node)
    return unknown(f"{state} is no state of a node; known are {', '.join(STATES)}")


def _unreachable(node: NodeObservation) -> Outcome:
    if node.reachable:
        return failed(f"{seen(node)} is reachable")
    return blind_among([node]) or passed(f"{seen(node)} is unreachable")


CHECKS = (
    Check("all_nodes_running", "All nodes are on and answer over ssh", all_nodes_running),
    Check("ssh_connectivity", "Every node answers over ssh", ssh_connectivity, needs_login=True),
    Check("vms_powered_off", "Every machine is off by the word of its provider", vms_powered_off),
    Check(
        "node_status",
        "One node is running, stopped or unreachable",
        node_status,
        arguments=("node", "state"),
        required_arguments=1,
        choices={"state": STATES},
    ),
)
