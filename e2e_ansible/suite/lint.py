"""What a test says as a whole: names, nodes, checks, references to steps, and what its provider can do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.checks.base import SECONDS, Check
from e2e_ansible.errors import UsageError
from e2e_ansible.names import nearest
from e2e_ansible.steps.targets import nodes_with
from e2e_ansible.suite.before import lint_order
from e2e_ansible.suite.faults import lint_faults
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.model import TestEntry
from e2e_ansible.suite.needs import lint_needs
from e2e_ansible.suite.phases import lint_phases
from e2e_ansible.suite.value import Value, at, shown
from e2e_ansible.suite.vocabulary import Vocabulary
from e2e_ansible.suite.workflow import TypedStep, all_steps

__all__ = ["lint"]

#: Of services that a check may need, what to write to get one.
_PARAMETERS = {"backup": "true", "sites": "{site_a: 1, site_b: 1}", "exporter": "true", "proxy": "haproxy"}


def lint(
    steps: Sequence[TypedStep],
    entry: TestEntry | None,
    provider: str | None,
    vocabulary: Vocabulary,
    findings: Findings,
) -> None:
    """Note all problems between the parts of a test.

    `entry` is None when it cannot be read, `provider` when it is not known; what needs them is skipped.
    """
    every = list(all_steps(steps))
    _lint_unique("name", every, findings)
    _lint_unique("register", every, findings)
    lint_order(steps, findings)
    lint_needs(steps, findings)
    lint_phases(steps, findings)
    lint_faults(every, entry, findings)
    linter = _StepLinter(entry, entry.nodes if entry else (), provider, vocabulary, findings)
    for step in every:
        linter.lint(step)


def _lint_unique(key: str, steps: Sequence[TypedStep], findings: Findings) -> None:
    seen: dict[str, Value] = {}
    for step in steps:
        found = step.value.get(key)
        if found is None or found.broken or not isinstance(found.data, str):
            continue
        if found.data in seen:
            first = seen[found.data]
            again = (first.line, first.column) == (found.line, found.column)
            hint = "put ${foreach.KEY} in it" if again else f"the first is on line {first.line}"
            findings.add(found, f"two steps have the {key} {shown(found)}", hint)
        else:
            seen[found.data] = found


@dataclass(frozen=True)
class _StepLinter:
    entry: TestEntry | None
    nodes: tuple[str, ...]
    provider: str | None
    vocabulary: Vocabulary
    findings: Findings

    def lint(self, step: TypedStep) -> None:
        """Nodes, checks and power of one step."""
        if step.type is None or step.options is None:
            return
        for field, node in step.type.node_names(step.options) if self.nodes else ():
            self._lint_node(_named(step.value, field, node), node)
        for field, name in step.type.target_names(step.options) if self.entry else ():
            self._lint_target(_named(step.value, field, name), name)
        for field, wanted in (
            step.type.missing_parameters(step.options, self.entry.parameters) if self.entry else ()
        ):
            place = at(step.value, (field,))
            message = f"{shown(place)} needs the parameter {wanted.partition(':')[0]}"
            self.findings.add(place, message, f"write {wanted} in the parameters of this test")
        self._lint_wrong(step)
        for path, name in step.type.file_names(step.options):
            self._lint_file(at(step.value, path), name)
        for field, site in step.type.site_names(step.options) if self.entry else ():
            self._lint_site(at(step.value, (field,)), site)
        for field, index, name in step.type.check_names(step.options):
            self._lint_check(at(step.value, (field, index)), name)
        for requirement in step.type.requires(step.options) if self.provider else ():
            cell = self.vocabulary.providers[str(self.provider)].get(requirement)
            if cell is None or not cell.supported:
                message = f"provider {self.provider!r} cannot do {requirement.value}"
                self.findings.add(step.value, message, cell.note if cell else "", unsupported=True)

    def _lint_wrong(self, step: TypedStep) -> None:
        if self.entry is None or step.type is None:
            return
        folder = Path(self.findings.file).parent
        for path, message, hint in step.type.wrong_options(step.options, self.entry.parameters, folder):
            self.findings.add(at(step.value, path), message, hint)

    def _lint_file(self, place: Value, name: str) -> None:
        """One beside the suite. With a suite that was read from no file there is none, and nothing is said of it."""
        suite, path = Path(self.findings.file), Path(name)
        there = suite.parent / path
        if path.is_absolute() or _is_file(there) or not _is_file(suite):
            return
        near = nearest(there.name, _files_in(there.parent)) if path.name else None
        hint = (
            f"did you mean {str(path.with_name(near))!r}?" if near else f"it is looked for in {there.parent}"
        )
        self.findings.add(place, f"there is no file {shown(name)} beside the suite", hint)

    def _lint_node(self, place: Value, node: str) -> None:
        if node not in self.nodes:
            self.findings.add(place, f"this test has no node {shown(node)}", self._the_nodes())

    def _lint_target(self, place: Value, name: str) -> None:
        assert self.entry is not None
        try:
            nodes_with(name, self.entry.labels)
        except UsageError as error:
            self.findings.add(place, str(error), error.hint)

    def _lint_site(self, place: Value, site: str) -> None:
        sites = (self.entry.parameters.sites if self.entry else None) or {}
        if site not in sites:
            hint = self.findings.suggest(site, sites) if sites else "name two in the parameter 'sites'"
            self.findings.add(place, f"this test has no site {shown(site)}", hint)

    def _the_nodes(self) -> str:
        if len(self.nodes) == 1:
            return f"its only node is {self.nodes[0]}"
        return f"its nodes are {self.nodes[0]} to {self.nodes[-1]}"

    def _lint_check(self, place: Value, text: str) -> None:
        name, *arguments = text.split(":")
        check = self.vocabulary.checks.get(name)
        if check is None:
            self.findings.add(
                place, f"unknown check {shown(name)}", self.findings.suggest(name, self.vocabulary.checks)
            )
        elif not check.required_arguments <= len(arguments) <= len(check.arguments):
            self.findings.add(
                place, f"check {shown(text)} has the wrong number of arguments", f"write {_usage(check)}"
            )
        else:
            for argument, given in zip(check.arguments, arguments, strict=False):
                self._lint_argument(place, check, argument, given)
            if check.needs_parameter and self.entry and not self._asked_for(check.needs_parameter):
                self.findings.add(
                    place,
                    f"check {shown(name)} needs the parameter {check.needs_parameter}",
                    f"write {check.needs_parameter}: {_PARAMETERS[check.needs_parameter]} in this test",
                )
            if check.needs_patroni and self.entry and self.entry.parameters.database != "patroni":
                database = self.entry.parameters.database
                self.findings.add(
                    place, f"check {shown(name)} needs Patroni", f"the database of this test is {database}"
                )
            if check.needs_admin_ui and self.entry and not self.entry.parameters.admin_ui:
                self.findings.add(
                    place, f"check {shown(name)} needs the admin UI", "admin_ui is false in this test"
                )

    def _asked_for(self, parameter: str) -> bool:
        given = getattr(self.entry.parameters, parameter) if self.entry else None
        return given not in (None, False, "none")

    def _lint_argument(self, place: Value, check: Check, argument: str, given: str) -> None:
        choices = check.choices.get(argument)
        if not given:
            self.findings.add(
                place, f"check {check.name!r} has an empty {argument}", f"write {_usage(check)}"
            )
        elif choices is not None:
            if given not in choices:
                hint = self.findings.suggest(given, choices)
                self.findings.add(place, f"unknown {argument} {shown(given)} in check {check.name!r}", hint)
        elif argument == "seconds" and not SECONDS.fullmatch(given):
            self.findings.add(
                place, f"{shown(given)} in check {check.name!r} is no number of seconds", "write 5 or 0.5"
            )
        elif argument == "bytes" and not given.isdecimal():
            self.findings.add(
                place, f"{shown(given)} in check {check.name!r} is no number of bytes", "write 0 or 16777216"
            )
        elif argument == "node" and self.nodes:
            self._lint_node(place, given)
        elif argument == "site" and self.entry:
            self._lint_site(place, given)


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113  # unlike Path.is_file it takes a name of any length


def _files_in(folder: Path) -> list[str]:
    with suppress(OSError):
        return sorted(each.name for each in folder.iterdir() if _is_file(each))
    return []


def _usage(check: Check) -> str:
    words = [
        f":<{argument}>" if index < check.required_arguments else f"[:<{argument}>]"
        for index, argument in enumerate(check.arguments)
    ]
    return check.name + "".join(words)


def _named(step: Value, field: str, node: str) -> Value:
    """Where a node is named: the field, or the item of it that has this name."""
    value = at(step, [int(part) if part.isdecimal() else part for part in field.split(".")])
    if isinstance(value.data, list):
        return next((item for item in value.data if item.data == node), value)
    return value
