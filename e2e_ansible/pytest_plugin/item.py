"""One test of a suite as an item of pytest."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible.errors import E2EError
from e2e_ansible.pytest_plugin.failure import NotPassed, as_report, error_text, failure_text, headline
from e2e_ansible.pytest_plugin.figures import properties
from e2e_ansible.pytest_plugin.sharing import harness_of
from e2e_ansible.pytest_plugin.work import Done, Work, do, work_for
from e2e_ansible.report.plain import PlainView
from e2e_ansible.suite.model import Suite, Test
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["SuiteItem"]


class SuiteItem(pytest.Item):
    """It passes only if the verdict is a pass. What is wrong with it before it begins is an error of its set-up."""

    def __init__(self, *, suite: Suite, test: Test, **more: Any) -> None:
        super().__init__(**more)
        self._suite = suite
        self._test = test
        self._work: Work | None = None

    def setup(self) -> None:
        """Compile it; nothing is begun."""
        try:
            self._work = work_for(harness_of(self.config), self._suite, self._test)
        except E2EError as error:
            pytest.fail(error_text(error), pytrace=False)  # `repr_failure` is not asked about a set-up

    def runtest(self) -> None:
        """Run it to its verdict.

        Raises:
            NotPassed: the verdict is no pass.
        """
        assert self._work is not None
        harness = harness_of(self.config)
        if self._work.note:
            self.add_report_section("call", "e2e", self._work.note)
        done = do(harness, self._work, PlainView(sys.stdout))
        folder = harness.shown(done.folder.path)
        self.user_properties += properties(done, folder).items()
        self._judge(done, folder)

    def _judge(self, done: Done, folder: Path) -> None:
        result = done.result
        if result is not None and result.cause is Cause.INTERRUPT:
            self.session.shouldstop = f"interrupted in {self.nodeid}"
        if result is None:
            self._rehearsed(f"compiled, and no node was made; the plan is in {folder}/tests")
        elif result.soak is not None and result.soak.dry_run and result.cause is None:
            words = f"{result.soak.cycles} cycles rehearsed, and nothing was tested; {folder}"
            self._rehearsed(words)
        elif result.verdict is not Verdict.PASS:
            node = f"{self._suite.file}::{self.name}"
            harness = harness_of(self.config)
            raise NotPassed(failure_text(harness, result, done.folder.path, node), headline(result))

    def _rehearsed(self, words: str) -> None:
        raise pytest.skip.Exception(f"dry run: {words}", _use_item_location=True)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The text of a failure, without the traceback of what is no bug."""
        error, place = excinfo.value, (os.fspath(self.path), self._test.source.line)
        if isinstance(error, NotPassed):
            return as_report(str(error), error.line, place)
        if isinstance(error, E2EError):
            text = error_text(error)
            return as_report(text, " ".join(text.splitlines()[:2]), place)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """The line of the suite."""
        return self.path, self._test.source.line - 1, self.name
