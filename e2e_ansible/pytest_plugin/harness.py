"""What all tests of one pytest process share: settings, engine, budget of nodes, the runs of the session."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from e2e_ansible.checks.custom import load_folder, real_folder
from e2e_ansible.engine.protocol import Engine
from e2e_ansible.pytest_plugin.budget import Budget
from e2e_ansible.pytest_plugin.register import RUNS, Register
from e2e_ansible.pytest_plugin.settings import Settings
from e2e_ansible.report.notice import Notice, RunStarted
from e2e_ansible.run.engines import open_engine
from e2e_ansible.suite.load import load_suite
from e2e_ansible.suite.model import Contexts, Suite, Test
from e2e_ansible.suite.parameters import Scalar

__all__ = ["Harness"]


class Harness:
    """The engine is opened by the first run; `close` ends it."""

    def __init__(self, settings: Settings, shared: Path) -> None:
        self.settings = settings
        self.register = Register(shared / RUNS)
        self.budget = Budget(shared / "budget", settings.max_nodes)
        self._stack = ExitStack()
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine of all runs."""
        if self._engine is None:
            self._engine = self._stack.enter_context(open_engine())
        return self._engine

    def close(self) -> None:
        """End the engine, and give all nodes back."""
        self._stack.close()
        self._engine = None
        self.budget.close()

    def note(self, notice: Notice) -> None:
        """Hear of a run that begins, and note it in the register of the session."""
        if isinstance(notice, RunStarted):
            self.register.begun(Path(notice.folder))

    def shown(self, path: Path) -> Path:
        """A path as the user can type it."""
        return Path(os.path.relpath(path, self.settings.start)) if path.is_absolute() else path

    def load(
        self,
        file: Path,
        *,
        contexts: Contexts | None = None,
        variables: Mapping[str, Scalar] | None = None,
        entry: str | None = None,
    ) -> Suite:
        """Read a suite, with the code beside it if that is allowed.

        Raises:
            SuiteError: it has problems.
            UsageError: there is no such provider.
        """
        load_folder(real_folder(file), allowed=self.settings.allow_plugins)
        return load_suite(
            self.shown(file),
            provider=self.settings.provider,
            contexts=contexts,
            variables=variables,
            entry=entry,
        )

    def tests(self, file: Path) -> list[tuple[Suite, Test]]:
        """Each test of a suite file, with a suite of it alone. Those with sites get contexts and variables.

        Raises:
            SuiteError: it has problems.
            UsageError: there is no such provider.
        """
        found = []
        for test in self.load(file).tests:
            suite = self.only(file, test, self.settings.contexts)
            found.append((suite, suite.tests[0]))
        return found

    def only(self, file: Path, test: Test, contexts: Contexts | None) -> Suite:
        """The suite of one test; one without sites has neither contexts nor the variables of the command line.

        Raises:
            SuiteError: there are no such contexts or variables.
        """
        has_sites = test.contexts is not None
        suite = self.load(
            file,
            contexts=contexts if has_sites else None,
            variables=self.settings.variables if has_sites else None,
            entry=test.name.partition("[")[0],
        )
        return replace(suite, tests=tuple(_named(suite.tests, test.name)))


def _named(tests: Sequence[Test], name: str) -> list[Test]:
    return [test for test in tests if test.name == name]
