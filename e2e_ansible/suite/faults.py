"""What a test says of faults: options, targets that its cluster can have, and heals of faults that were before them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import ValidationError

from e2e_ansible.errors import UsageError
from e2e_ansible.faults.choose import check_target, least_nodes
from e2e_ansible.faults.registry import fault_named
from e2e_ansible.steps.fault import FaultStepOptions
from e2e_ansible.steps.heal import ALL, HealOptions
from e2e_ansible.suite.complaint import Subject, complain
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.model import TestEntry
from e2e_ansible.suite.value import at, shown
from e2e_ansible.suite.workflow import TypedStep

__all__ = ["lint_faults"]

_FAULT = "fault"


def lint_faults(steps: Iterable[TypedStep], entry: TestEntry | None, findings: Findings) -> None:
    """Note what is wrong with the steps `fault` and `heal`, all of the test in the order of the text."""
    linter = _Linter(entry, findings)
    for step in steps:
        linter.lint(step)


@dataclass
class _Linter:
    """`named` is how a heal may call the faults so far, None once one of them cannot be read."""

    entry: TestEntry | None
    findings: Findings
    named: dict[str, None] | None = field(default_factory=dict)

    def lint(self, step: TypedStep) -> None:
        options = step.options
        if isinstance(options, FaultStepOptions):
            self._options(step, options)
            if self.entry is not None:
                self._target(step, options.target, self.entry)
            if self.named is not None:
                self.named |= dict.fromkeys(options.fault_names)
        elif isinstance(options, HealOptions):
            self._heal(step, options.fault)
        elif step.type is not None and step.type.name == _FAULT:
            self.named = None

    def _options(self, step: TypedStep, options: FaultStepOptions) -> None:
        kind = fault_named(options.fault).options
        try:
            kind.model_validate(dict(options.options))
        except ValidationError as error:
            complain(
                error, at(step.value, ["options"]), Subject(f"fault {options.fault!r}", kind), self.findings
            )

    def _target(self, step: TypedStep, target: str, entry: TestEntry) -> None:
        """Of nodes by name, that they are there was looked at before."""
        assert step.type is not None
        if step.options is None or step.type.node_names(step.options):
            return
        place, labels = at(step.value, ["target"]), entry.labels
        try:
            check_target(target, list(labels), sorted({label for has in labels.values() for label in has}))
        except UsageError as error:
            self.findings.add(place, str(error), error.hint)
            return
        size, database = entry.parameters.cluster_size, entry.parameters.database
        if size < least_nodes(target):
            text = f"target {shown(target)} needs at least {least_nodes(target)} nodes"
            self.findings.add(place, text, f"this test has {size}")
        elif database == "standalone" and (target == "replica" or (target == "primary" and size > 1)):
            text = f"no node of this test is the {target}"
            self.findings.add(place, text, "its database is standalone: name a node")

    def _heal(self, step: TypedStep, name: str) -> None:
        if self.named is None or name == ALL or name in self.named:
            return
        hint = self.findings.suggest(name, [*self.named, ALL]) if self.named else "no fault is before it"
        self.findings.add(at(step.value, [_FAULT]), f"no fault before is named {shown(name)}", hint)
