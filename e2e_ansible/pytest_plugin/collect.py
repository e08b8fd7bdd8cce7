"""A suite file as pytest collects it: one item for each of its tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e_ansible.errors import E2EError
from e2e_ansible.pytest_plugin.failure import error_text
from e2e_ansible.pytest_plugin.harness import Harness
from e2e_ansible.pytest_plugin.item import SuiteItem
from e2e_ansible.pytest_plugin.options import keep_together
from e2e_ansible.pytest_plugin.sharing import harness_of
from e2e_ansible.suite.model import Test

__all__ = ["SuiteFile"]

_WHERE = "--primary-context and --secondary-context, or E2E_PRIMARY_CONTEXT and E2E_SECONDARY_CONTEXT"


class SuiteFile(pytest.File):
    """A suite. One with problems is an error of the collection, with file and line of each."""

    def collect(self) -> Iterator[SuiteItem]:
        """An item for each test, marked with what it is."""
        try:
            harness = harness_of(self.config)
            found = harness.tests(self.path)
        except E2EError as error:
            raise self.CollectError(error_text(error)) from None
        for suite, test in found:
            item: SuiteItem = SuiteItem.from_parent(self, name=test.name, suite=suite, test=test)
            self._mark(item, harness, test)
            yield item

    def _mark(self, item: SuiteItem, harness: Harness, test: Test) -> None:
        settings = harness.settings
        item.add_marker("e2e")
        if settings.in_cycles:
            item.add_marker("e2e_soak")
            item.add_marker("slow")
            keep_together(item, f"e2e_soak:{self.path}")
        if settings.injects:
            item.add_marker("resilience")
        if test.contexts and not settings.contexts and not settings.dry_run:
            sites = " and ".join(test.contexts)
            item.add_marker(
                pytest.mark.skip(reason=f"no contexts: {_WHERE} name {sites} in the order wanted")
            )
