"""Results as tests look at them: of a run folder, or of what ran before in this session."""

from __future__ import annotations

from pathlib import Path

from e2e_ansible import api
from e2e_ansible.errors import UsageError
from e2e_ansible.judge.result import RunResult, TestResult
from e2e_ansible.names import suggestion
from e2e_ansible.pytest_plugin.harness import Harness

__all__ = ["Results"]


class Results:
    """The results of the run of `--e2e-results`, else of all runs of the session that have ended, in any worker.

    Every property may raise HarnessError: a file of a run cannot be read.
    """

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._judged: dict[Path, RunResult] = {}
        named = harness.settings.results
        if named:
            self._judged[named] = api.judge(named)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The run folders, the oldest first."""
        named = self._harness.settings.results
        return (named,) if named else tuple(self._harness.register.ended())

    @property
    def runs(self) -> tuple[RunResult, ...]:
        """The runs, the oldest first."""
        for folder in self.folders:
            if folder not in self._judged:
                self._judged[folder] = api.judge(folder)
        return tuple(self._judged[folder] for folder in self.folders)

    @property
    def tests(self) -> tuple[TestResult, ...]:
        """The tests of all runs; of a soak its set-up, its end, and cycles that did not pass."""
        return tuple(test for run in self.runs for test in run.tests)

    @property
    def run(self) -> RunResult:
        """The newest run.

        Raises:
            UsageError: there is none.
        """
        runs = self.runs
        if not runs:
            raise UsageError("no run has ended in this session", hint="name one: --e2e-results RUN")
        return runs[-1]

    def test(self, name: str) -> TestResult:
        """The newest test of this name.

        Raises:
            UsageError: there is none; the hint names the nearest.
        """
        tests = self.tests
        for test in reversed(tests):
            if test.name == name:
                return test
        raise UsageError(f"no test {name!r} has run", hint=suggestion(name, {test.name for test in tests}))
