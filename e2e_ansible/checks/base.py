"""What a check is: a pure predicate over a situation, three-valued, with a sentence that says what it saw."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from e2e_ansible.judge.operations import History, history
from e2e_ansible.nodes.observation import NodeObservation, Observation
from e2e_ansible.oracle.history import Record
from e2e_ansible.suite.model import Contexts
from e2e_ansible.suite.parameters import Database

__all__ = ["SECONDS", "Check", "Outcome", "Ranges", "Situation", "failed", "passed", "unknown"]

Ranges = Sequence[tuple[int, int]]

#: An argument named `seconds`.
SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


@dataclass(frozen=True)
class Situation:
    """Everything a check may look at.

    `expected` are the nodes of the plan in order and their labels; `acknowledged` are the row numbers that
    the integrity writer saw committed before this look, as inclusive ranges, or None when no writer ran;
    `histories` are the records of each client until this look; `last_fault` is when the last fault before it was there,
    in epoch seconds, and which. `contexts` are the two sites of the plan, if it has any, the primary one first.
    """

    observation: Observation
    expected: Mapping[str, tuple[str, ...]]
    database: Database
    primary: str
    acknowledged: Ranges | None = None
    histories: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    last_fault: tuple[float, str] | None = None
    contexts: Contexts | None = None

    def site(self, name: str) -> Situation:
        """The same look, at the nodes of one site only."""
        return replace(self, expected=_labelled(self.expected, name), contexts=None)

    @property
    def parts(self) -> tuple[Situation, ...]:
        """One for each cluster of Patroni: the two sites, else all."""
        return tuple(map(self.site, self.contexts)) if self.contexts else (self,)

    @cached_property
    def pasts(self) -> Mapping[str, History]:
        """The operations of each client that noted anything; folded once for all checks of a look."""
        return {client: history(records) for client, records in self.histories.items() if records}

    @property
    def nodes(self) -> tuple[NodeObservation, ...]:
        """Observations of the expected nodes, in order; a node nobody looked at is missing."""
        found = (self.observation.node(name) for name in self.expected)
        return tuple(node for node in found if node is not None)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Expected nodes that the observation does not contain."""
        return tuple(name for name in self.expected if self.observation.node(name) is None)

    @property
    def cluster(self) -> tuple[NodeObservation, ...]:
        """The observed nodes under test: all but those that only drive load."""
        return tuple(node for node in self.nodes if "client" not in self.expected[node.node])

    @property
    def cluster_names(self) -> tuple[str, ...]:
        """The expected nodes under test: all but those that only drive load."""
        return tuple(name for name, labels in self.expected.items() if "client" not in labels)

    @property
    def databases(self) -> tuple[NodeObservation, ...]:
        """The observed nodes labelled `database`."""
        return tuple(node for node in self.nodes if "database" in self.expected[node.node])


def _labelled(expected: Mapping[str, tuple[str, ...]], label: str) -> dict[str, tuple[str, ...]]:
    return {node: labels for node, labels in expected.items() if label in labels}


@dataclass(frozen=True)
class Outcome:
    """True, False or None (not decidable), and why. `infrastructure`: the trouble is not the product's."""

    passed: bool | None
    message: str
    infrastructure: bool = False


def passed(message: str) -> Outcome:
    """It holds."""
    return Outcome(True, message)


def failed(message: str, *, infrastructure: bool = False) -> Outcome:
    """It does not hold."""
    return Outcome(False, message, infrastructure)


def unknown(message: str) -> Outcome:
    """What was observed does not decide it."""
    return Outcome(None, message, infrastructure=True)


@dataclass(frozen=True)
class Check:
    """A named predicate. `arguments` names what may follow its name after colons, required ones first.

    `choices` lists the values an argument may have; an argument named `node` must be a node of the test,
    one named `seconds` a number. `needs_parameter` names the parameter of the suite without which it has no subject.
    """

    name: str
    description: str
    evaluate: Callable[[Situation, Sequence[str]], Outcome]
    arguments: tuple[str, ...] = ()
    required_arguments: int = 0
    needs_integrity: bool = False
    needs_histories: bool = False
    needs_admin_ui: bool = False
    needs_services: bool = False
    needs_amcheck: bool = False
    needs_parameter: str = ""
    needs_login: bool = False
    needs_patroni: bool = False
    allow_failure: bool = False
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
