"""Suite files as the commands take them: files, or folders of files, to compiled plans."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from e2e_ansible.errors import Problem, SuiteError, UsageError
from e2e_ansible.names import suggestion

if TYPE_CHECKING:
    from e2e_ansible.compile.plan import Plan
    from e2e_ansible.suite.model import Suite

__all__ = ["compile_files", "load_files", "of_classes", "of_provider", "plan_folders", "read_plans"]

_SUFFIXES = (".yml", ".yaml", ".json")


def load_files(paths: Sequence[Path], *, provider: str | None, allow_plugins: bool) -> list[Suite]:
    """Load all suites, and tell the problems of all of them at once.

    Raises:
        SuiteError: at least one has problems.
        UsageError: a folder holds no suite.
    """
    from e2e_ansible.api import load

    suites: list[Suite] = []
    errors: list[SuiteError] = []
    for path in _files(paths):
        try:
            suites.append(load(path, provider=provider, allow_plugins=allow_plugins))
        except SuiteError as error:
            error.hint = error.hint or _plugin_hint(path, allow_plugins)
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise _joined(errors)
    return suites


def compile_files(
    paths: Sequence[Path],
    *,
    provider: str | None = None,
    allow_plugins: bool = False,
    tests: Sequence[str] = (),
) -> list[Plan]:
    """Load and compile; `tests` picks some by name.

    Raises:
        SuiteError: a suite has problems.
        UsageError: a test that was picked does not exist.
    """
    from e2e_ansible.api import plan, refuse_unknown

    suites = load_files(paths, provider=provider, allow_plugins=allow_plugins)
    refuse_unknown(tests, [test.name for suite in suites for test in suite.tests])
    return [made for suite in suites for made in plan(suite) if not tests or made.name in tests]


def plan_folders(paths: Sequence[Path]) -> list[Path]:
    """The plan folders among these, or in them; none if they are suites.

    Raises:
        UsageError: some are plans and some are not.
    """
    below = {path: _plans_in(path) for path in paths}
    found = [folder for folders in below.values() for folder in folders]
    others = [path for path, folders in below.items() if not folders]
    if found and others:
        raise UsageError(
            f"{others[0]} is no plan, and {found[0]} is one", hint="run them one after the other"
        )
    return found


def _plans_in(path: Path) -> list[Path]:
    from e2e_ansible.run.plan_folder import is_plan_folder

    if not os.path.isdir(path):  # noqa: PTH112  # unlike Path.is_dir it takes a name of any length
        return []
    places = [path] if is_plan_folder(path) else sorted(path.iterdir())
    return [place for place in places if is_plan_folder(place)]


def read_plans(folders: Sequence[Path], *, provider: str | None, tests: Sequence[str] = ()) -> list[Plan]:
    """Plans as they were written, byte for byte; `tests` picks some by name.

    Raises:
        UsageError: one was changed, or would be run with other roles and plugins; or a test does not exist.
    """
    from e2e_ansible.api import refuse_unknown
    from e2e_ansible.run.plan_folder import check_content, read_whole_plan

    made = [read_whole_plan(folder) for folder in folders]
    for plan, folder in zip(made, folders, strict=True):
        check_content(plan, folder)
        if provider not in (None, plan.provider):
            text = f"{folder} was compiled for provider {plan.provider}, not for {provider}"
            raise UsageError(
                text, hint=f"compile it again: e2e-ansible plan SUITE --provider {provider} -o DIR"
            )
    refuse_unknown(tests, [plan.name for plan in made])
    return [plan for plan in made if not tests or plan.name in tests]


def of_provider(plans: Sequence[Plan], provider: str | None) -> list[Plan]:
    """Only those that say this provider; all of them without one.

    Raises:
        UsageError: none says it.
    """
    chosen = [plan for plan in plans if provider in (None, plan.provider)]
    if provider is not None and not chosen:
        hint = suggestion(provider, {plan.provider for plan in plans})
        raise UsageError(f"no test says provider {provider!r}", hint=hint)
    return chosen


def of_classes(plans: Sequence[Plan], classes: Sequence[str]) -> list[Plan]:
    """Only tests of these time classes; all of them without one.

    Raises:
        UsageError: there is no such class, or no test of any of them.
    """
    from e2e_ansible.suite.times import LIMITS

    for name in classes:
        if name not in LIMITS:
            raise UsageError(f"there is no time class {name!r}", hint=suggestion(name, LIMITS))
    chosen = [plan for plan in plans if not classes or plan.time_class in classes]
    if not chosen and classes:
        said = sorted({plan.time_class for plan in plans if plan.time_class})
        hint = f"there are tests of {', '.join(said)}" if said else "say time_class in a test"
        raise UsageError(f"no test is of time class {' or '.join(classes)}", hint=hint)
    return chosen


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112  # unlike Path.is_dir it takes a name of any length
            yield path
            continue
        found = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file())
        if not found:
            raise UsageError(f"{path} holds no suite", hint=f"suites end in {', '.join(_SUFFIXES)}")
        yield from found


def _plugin_hint(path: Path, allowed: bool) -> str:
    from e2e_ansible.checks.custom import FOLDER, plugin_files, real_folder

    if allowed or not plugin_files(real_folder(path)):
        return ""
    return f"there is code in {path.parent / FOLDER}; --allow-plugins lets it add checks and steps"


def _joined(errors: Iterable[SuiteError]) -> SuiteError:
    problems: list[Problem] = []
    hint = ""
    for error in errors:
        problems.extend(error.problems)
        hint = hint or error.hint
    joined = SuiteError(problems)
    joined.hint = hint
    return joined
