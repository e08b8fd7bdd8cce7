"""Runs suite files for tests that look at the result themselves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from e2e_ansible.errors import UsageError
from e2e_ansible.judge.result import RunResult
from e2e_ansible.names import suggestion
from e2e_ansible.pytest_plugin.harness import Harness
from e2e_ansible.pytest_plugin.work import do, work_for
from e2e_ansible.report.plain import PlainView
from e2e_ansible.suite.model import Suite, Test
from e2e_ansible.verdict import Cause

__all__ = ["SuiteRunner"]


class SuiteRunner:
    """Runs a test of a suite file. `folder` is the run folder of the last one."""

    def __init__(self, harness: Harness, beside: Path) -> None:
        self._harness = harness
        self._beside = beside
        self.folder = Path()

    def __call__(
        self, suite: str | os.PathLike[str], *, test: str = "", cycles: int | None = None
    ) -> RunResult:
        """Run a test to its result, whatever the verdict; the options of pytest hold for it as for a collected one.

        `suite` is a path from the folder of the test file. `test` may be left out if there is only one. A suite with
        sites, without contexts, skips the test; so does a dry run.

        Raises:
            SuiteError: the suite has problems.
            UsageError: there is no such test, or it cannot be run as asked.
            KeyboardInterrupt: the run was interrupted, and what it made is removed.
        """
        settings = self._harness.settings
        found, chosen = self._chosen(Path(self._beside, suite), test)
        if chosen.contexts and not settings.contexts and not settings.dry_run:
            pytest.skip(f"no contexts: {found.file} has the sites {' and '.join(chosen.contexts)}")
        work = work_for(self._harness, found, chosen, cycles=cycles)
        done = do(self._harness, work, PlainView(sys.stdout))
        self.folder = done.folder.path
        if done.result is None or settings.dry_run:
            pytest.skip(f"dry run: {found.file} was compiled, and nothing was tested")
        if done.result.cause is Cause.INTERRUPT:
            raise KeyboardInterrupt
        return done.result

    def _chosen(self, file: Path, name: str) -> tuple[Suite, Test]:
        tests = self._harness.tests(file)
        names = [test.name for _, test in tests]
        if not name and len(tests) > 1:
            raise UsageError(
                f"{file.name} has several tests", hint=f"say which: test=..., {', '.join(names)}"
            )
        for suite, test in tests:
            if name in ("", test.name):
                return suite, test
        raise UsageError(f"{file.name} has no test {name!r}", hint=suggestion(name, names))
