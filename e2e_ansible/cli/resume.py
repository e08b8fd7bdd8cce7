"""`e2e-ansible resume`: go on with a run that died."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2e_ansible.cli.execution import Execution
from e2e_ansible.cli.notifications import Notifications
from e2e_ansible.cli.option_groups import grouped
from e2e_ansible.cli.options import RunArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from e2e_ansible.compile.plan import Plan
    from e2e_ansible.run.folder import ManifestTest

__all__ = ["resume"]


@grouped
def resume(
    run: RunArgument = None,
    *,
    suite: Annotated[
        Path | None,
        typer.Option("--suite", metavar="FILE", help="Where the suite of the run is now, if it was moved."),
    ] = None,
    execution: Execution,
    notifications: Notifications,
) -> None:
    """Go on with a run that was killed, lost its power or its terminal, or was interrupted twice.

    Steps that have ended stay as they are. A step that was under way is played again, looked at first, or unknown, as
    its type allows. Another plan than that of the run is refused.
    """
    from e2e_ansible.cli.cycles import resume_and_show
    from e2e_ansible.cli.folders import find_real_run, find_run
    from e2e_ansible.cli.views import told
    from e2e_ansible.run.engines import open_engine
    from e2e_ansible.run.resume import resume_run

    notifier = notifications.notifier()
    found = find_run(run, execution.runs)
    if found.manifest().soak is not None:
        raise typer.Exit(resume_and_show(found, execution, suite=suite, notifier=notifier))
    folder = find_real_run(run, execution.runs)

    def recompile(tests: Sequence[ManifestTest]) -> list[Plan]:
        return _plans(tests, suite, allow_plugins=execution.allow_plugins)

    with open_engine(execution.engine) as opened:
        code = told(
            lambda listener: (
                resume_run(folder, engine=opened, recompile=recompile, listeners=[listener]),
                folder,
            ),
            json=execution.json,
            verbose=execution.loud,
            notifier=notifier,
        )
    raise typer.Exit(code)


def _plans(tests: Sequence[ManifestTest], suite: Path | None, *, allow_plugins: bool) -> list[Plan]:
    """What the suites compile to now, a plan for each of these tests."""
    from e2e_ansible.cli.suites import compile_files
    from e2e_ansible.run.repeat import repetition

    made: dict[tuple[str, str, str], Plan] = {}
    for file, provider in dict.fromkeys((test.suite, test.provider) for test in tests):
        wanted = [test.test for test in tests if (test.suite, test.provider) == (file, provider)]
        found = compile_files(
            [suite or _there(file)], provider=provider, allow_plugins=allow_plugins, tests=wanted
        )
        made |= {(file, provider, plan.name): plan for plan in found}
    return [repetition(made[test.suite, test.provider, test.test], test.repetition) for test in tests]


def _there(file: str) -> Path:
    from e2e_ansible.cli.folders import shown
    from e2e_ansible.errors import UsageError

    path = Path(shown(Path(file)))
    if not path.is_file():
        raise UsageError(f"the suite of the run, {path}, is not there", hint="say where it is: --suite FILE")
    return path
