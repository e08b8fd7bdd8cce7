"""Where a step does its work: node names, or labels of nodes, which stand for all nodes that have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from e2e_ansible.errors import UsageError
from e2e_ansible.names import suggestion
from e2e_ansible.steps.base import CompileContext
from e2e_ansible.suite.labels import CLIENT, DATABASE, RUN_STROPPY

__all__ = ["nodes_of", "nodes_with"]

_HOW_TO_GET = {
    CLIENT: "write clients: 1 in the parameters of this test",
    DATABASE: "write cluster_size: 1 in the parameters of this test",
    RUN_STROPPY: "write clients: 1 in the parameters of this test, or labels: {run_stroppy: [n11]}",
}


def nodes_of(targets: Sequence[str], context: CompileContext) -> tuple[str, ...]:
    """The nodes of node names and labels, each once, in the order of the plan.

    A step type also returns the targets in `target_names`, so that an error has the line of the suite.

    Raises:
        UsageError: a target is neither a node of this test nor a label of one.
    """
    wanted = {node for target in targets for node in nodes_with(target, context.labels)}
    return tuple(node for node in context.nodes if node in wanted)


def nodes_with(target: str, labels: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The nodes of one node name or label; `labels` are those of each node.

    Raises:
        UsageError: there is no such node, and no node has such a label.
    """
    if target in labels:
        return (target,)
    nodes = tuple(node for node, has in labels.items() if target in has)
    if not nodes:
        known = (*labels, *sorted({label for has in labels.values() for label in has}))
        text = f"this test has no node {target!r}, and none with the label {target!r}"
        raise UsageError(text, hint=_HOW_TO_GET.get(target) or suggestion(target, known))
    return nodes
