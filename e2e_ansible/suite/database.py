"""What a test says of its database: a version that can be had, settings that it takes, or one that exists already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from e2e_ansible.providers.releases import VERSIONS, server_version
from e2e_ansible.suite.existing import lint_existing
from e2e_ansible.suite.findings import Findings
from e2e_ansible.suite.model import TestEntry
from e2e_ansible.suite.parameters import Parameters
from e2e_ansible.suite.settings import wrong_setting
from e2e_ansible.suite.value import Place, Value, at
from e2e_ansible.suite.workflow import TypedStep

__all__ = ["lint_database"]

_EXISTING = "existing"


def lint_database(
    steps: Sequence[TypedStep],
    entry: TestEntry | None,
    provider: str | None,
    value: Value,
    findings: Findings,
) -> None:
    """Note what is wrong with the database of a test; `value` is the whole test as it is written.

    `entry` is None when it cannot be read, `provider` when it is not known; what needs them is skipped.
    """
    if entry is None:
        return
    given = at(value, ("parameters",))
    if entry.parameters.database == _EXISTING:
        lint_existing(steps, entry, given, findings)
        return
    linter = _Linter(entry.parameters, given, findings)
    linter.nodes()
    linter.version()
    if provider is not None:
        linter.settings(provider)


@dataclass(frozen=True)
class _Linter:
    parameters: Parameters
    value: Value
    findings: Findings

    def nodes(self) -> None:
        """A database that is made needs nodes, and no connection of somebody else."""
        if self.parameters.cluster_size == 0:
            place = at(self.value, ("cluster_size",))
            self.findings.add(place, "'parameters.cluster_size' must be at least 1, not 0")
        if self.parameters.connection is not None:
            text = f"'connection' is for database: existing, and this one is {self.parameters.database}"
            self.findings.add(self.value.keys.get("connection", self.value), text)

    def version(self) -> None:
        """One that roles and images know."""
        version = self.parameters.postgres_version
        if version and version not in VERSIONS:
            text = f"PostgreSQL {version} cannot be installed"
            hint = f"versions {VERSIONS[0]} to {VERSIONS[-1]} can"
            self.findings.add(at(self.value, ("postgres_version",)), text, hint)

    def settings(self, provider: str) -> None:
        """Each against what a server of this version has."""
        known = self.parameters.model_dump(include={"image", "postgres_version"})
        version = server_version(provider, known)
        patroni = self.parameters.database == "patroni"
        for name, value in self.parameters.postgres_settings.items():
            wrong = wrong_setting(version, name, value, patroni=patroni)
            told = "${" in name or (isinstance(value, str) and "${" in value)
            if wrong is not None and not told:
                self.findings.add(self._place(name, of_value=wrong.of_value), wrong.message, wrong.hint)

    def _place(self, name: str, *, of_value: bool) -> Place:
        """Either may stand in the matrix."""
        settings = at(self.value, ("postgres_settings",))
        return at(settings, (name,)) if of_value else settings.keys.get(name, settings)
