"""Options that choose among the tests of suites and plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.cli.options import Provider, RunTest
from e2e_ansible.errors import UsageError

if TYPE_CHECKING:
    from e2e_ansible.cli.execution import Execution
    from e2e_ansible.compile.plan import Plan

__all__ = ["Selection"]


@dataclass(frozen=True)
class Selection:
    """Which tests, on which provider, how often."""

    run_test: RunTest = None
    only_provider: Annotated[
        str | None, typer.Option("--only-provider", metavar="NAME", help="Only tests that say this provider.")
    ] = None
    provider: Provider = None
    time_class: Annotated[
        list[str] | None,
        typer.Option(
            "--time-class",
            metavar="NAME",
            help="Only tests of this class: fast, standard, slow, infrastructure; may be repeated.",
        ),
    ] = None
    repeat: Annotated[
        int,
        typer.Option(
            "--repeat",
            metavar="N",
            min=1,
            help="Run every test so many times, and tell how steady each step is.",
        ),
    ] = 1

    @property
    def tests(self) -> Sequence[str]:
        """Names of tests; none is all."""
        return self.run_test or ()

    def plans(self, suites: Sequence[Path], written: Sequence[Path], execution: Execution) -> list[Plan]:
        """The plans that are meant, in order: read from the folders where they are `written`, else compiled.

        Raises:
            SuiteError: a suite has problems.
            UsageError: a test, a provider or a class does not exist; or a plan was changed.
        """
        from e2e_ansible.cli.suites import compile_files, of_classes, of_provider, read_plans
        from e2e_ansible.run.repeat import repeated

        if written:
            made = read_plans(written, provider=self.provider, tests=self.tests)
        else:
            made = compile_files(
                suites, provider=self.provider, allow_plugins=execution.allow_plugins, tests=self.tests
            )
        chosen = of_classes(of_provider(made, self.only_provider), self.time_class or ())
        return repeated(chosen, self.repeat)

    def refuse_for_cycles(self) -> None:
        """See that nothing is chosen that only tests have.

        Raises:
            UsageError: it is.
        """
        if self.repeat > 1 or self.time_class:
            raise UsageError(
                "--repeat and --time-class are for tests, not for cycles",
                hint="--cycles says how many there are",
            )
