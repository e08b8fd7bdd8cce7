"""A test of a database that exists already: nothing is installed for it, and nobody looks at its machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from e2e_ansible.checks.registry import is_built_in
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.model import TestEntry
from e2e_ansible.suite.parameters import Parameters
from e2e_ansible.suite.value import Value, at, shown
from e2e_ansible.suite.workflow import TypedStep, all_steps

__all__ = ["lint_existing"]

#: Parameters of what is installed; those of Patroni are refused where its database is not patroni.
_OF_INSTALLING = ("postgres_version", "postgres_settings", "admin_ui", "backup", "exporter")
#: Steps that make or remove nodes.
_OF_NODES = frozenset({"init", "create_nodes", "deploy", "destroy"})
_OF_THE_CLUSTER = {
    "start_cluster": "it powers the nodes of the database",
    "stop_cluster": "it powers the nodes of the database",
    "drift": "it looks at what was installed for the database",
    "start_client": "its client needs the user and the table that are made with a database",
    "stop_client": "its client needs the user and the table that are made with a database",
}
#: Checks that look at any node.
_OF_ANY_NODE = frozenset(
    {"all_nodes_running", "ssh_connectivity", "vms_powered_off", "node_status", "service_running"}
)
_WHY = "the database of this test exists already"


def lint_existing(
    steps: Sequence[TypedStep], entry: TestEntry, parameters: Value, findings: Findings
) -> None:
    """Note what cannot be with a database that this test has not made; `parameters` as they are written."""
    linter = _Linter(entry.parameters, parameters, findings)
    linter.parameters_of_nodes()
    for step in all_steps(steps):
        linter.step(step)


@dataclass(frozen=True)
class _Linter:
    parameters: Parameters
    value: Value
    findings: Findings

    def parameters_of_nodes(self) -> None:
        """Only clients may be made, and the connection must be said."""
        if self.parameters.connection is None:
            text = "database: existing needs 'connection', which says where its connection string is"
            hint = "write connection: {env: NAME} or connection: {file: PATH}"
            self.findings.add(at(self.value, ("database",)), text, hint)
        if self.parameters.cluster_size:
            hint = "leave out cluster_size; nodes that drive load are clients"
            self.findings.add(at(self.value, ("cluster_size",)), f"{_WHY}, so no nodes are made for it", hint)
        for name in _OF_INSTALLING:
            given = self.value.get(name)
            if given is not None and given.data not in (False, "", None):
                self.findings.add(
                    self.value.keys.get(name, given), f"{_WHY}, so nothing is installed: leave out {name}"
                )

    def step(self, step: TypedStep) -> None:
        """One that needs nodes which are not there, or asks for a check of them."""
        if step.type is None or step.options is None:
            return
        name = step.type.name
        place = at(step.value, ("step",))
        if name in _OF_THE_CLUSTER:
            text = f"step {shown(name)} cannot be here: {_WHY}, and {_OF_THE_CLUSTER[name]}"
            self.findings.add(place, text)
        elif name in _OF_NODES and not self.parameters.clients:
            text = f"step {shown(name)} has nothing to do: {_WHY}, and there are no clients"
            self.findings.add(place, text, "leave it out, or write clients: 1")
        for field, index, check in step.type.check_names(step.options):
            self._check(at(step.value, (field, index)), check)

    def _check(self, place: Value, text: str) -> None:
        name = text.partition(":")[0]
        if not is_built_in(name):
            return
        if name not in _OF_ANY_NODE:
            hint = (
                "its verdict comes from load steps and their limits, from commands and from your own checks"
            )
            message = f"check {shown(name)} looks at the nodes of the database, and {_WHY}"
            self.findings.add(place, message, hint)
        elif not self.parameters.clients:
            self.findings.add(place, f"check {shown(name)} looks at nodes, and this test has none")
