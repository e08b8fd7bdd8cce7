"""The cluster that a test asks for: by parameters in its marker, or by the set-up of a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest

from e2e_ansible.checks.custom import load_folder
from e2e_ansible.errors import UsageError
from e2e_ansible.names import suggestion
from e2e_ansible.pytest_plugin.harness import Harness
from e2e_ansible.soak.parts import split
from e2e_ansible.suite.model import Contexts, Keep, Step, Suite, Test

__all__ = ["Wanted", "wanted_by"]

_MARKER = "e2e_cluster"
_SIMPLE: Mapping[str, Any] = {"size": 1, "database": "standalone"}
_DEPLOY: Mapping[str, Any] = {"step": "deploy"}
_READY = {
    "step": "validate",
    "checks": ["cluster_status"],
    "retry": {"max_attempts": 60, "delay_seconds": 0.5},
}


@dataclass(frozen=True)
class Wanted:
    """A cluster before it exists. `entry` is what a suite says of it, without its steps.

    Without a `suite` its set-up is `deploy`, and looking that all is well.
    """

    entry: Mapping[str, Any]
    suite: Suite | None = None
    contexts: Contexts | None = None
    keep: Keep | None = None

    @property
    def workflow(self) -> Sequence[Mapping[str, Any]]:
        """The set-up when no suite brings one."""
        return ({"step": "init"}, _DEPLOY, _READY)

    def document(self, steps: Sequence[Mapping[str, Any]], *, deployed: bool) -> dict[str, Any]:
        """A suite of these steps; what is `deployed` has a first step that stands for the set-up."""
        return {**self.entry, "workflow": [*([_DEPLOY] if deployed else []), *map(dict, steps)]}


def wanted_by(request: pytest.FixtureRequest, harness: Harness) -> Wanted:
    """What the markers of the tests that share the cluster say.

    Raises:
        UsageError: they say different things, or something unknown.
        SuiteError: the suite of the marker has problems.
    """
    given = dict(_only_marker(request))
    folder = Path(request.path).parent
    load_folder(folder, allowed=harness.settings.allow_plugins)
    keep = harness.settings.keep or _keep(given.pop("keep", None))
    if "suite" in given:
        return replace(_of_suite(harness, folder, given), keep=keep)
    parameters = {**_SIMPLE, **given}
    parameters["cluster_size"] = parameters.pop("size")
    if "sites" in parameters:
        del parameters["cluster_size"]
    entry: dict[str, Any] = {"provider": parameters.pop("provider", "local"), "parameters": parameters}
    contexts = harness.settings.contexts if "sites" in parameters else None
    return Wanted({key: entry[key] for key in entry if entry[key]}, contexts=contexts, keep=keep)


def _only_marker(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    found: list[Mapping[str, Any]] = []
    for item in request.session.items:
        if request.node in item.listchain() and _MARKER in getattr(item, "fixturenames", ()):
            marker = item.get_closest_marker(_MARKER)
            if marker is not None and marker.args:
                raise UsageError(f"the marker {_MARKER} takes its values by name", hint="size=2, ...")
            said = marker.kwargs if marker else {}
            found += [said] if said not in found else []
    if len(found) > 1:
        raise UsageError(
            f"tests that share a cluster ask for different ones: {', '.join(map(str, found))}",
            hint="one marker for all of them, or e2e_cluster_scope = function in pytest.ini",
        )
    return found[0] if found else {}


def _keep(word: str | None) -> Keep | None:
    for keep in get_args(Keep):
        if word == keep:
            found: Keep = keep
            return found
    if word is not None:
        raise UsageError(
            f"keep={word!r} is none of {', '.join(get_args(Keep))}", hint=suggestion(word, get_args(Keep))
        )
    return None


def _of_suite(harness: Harness, folder: Path, given: Mapping[str, Any]) -> Wanted:
    """The set-up of a suite: what comes before its first phase; without phases, its steps up to `deploy`."""
    others = sorted(set(given) - {"suite", "test"})
    if others:
        raise UsageError(
            f"a suite brings its own parameters, so {others[0]} cannot be said", hint="leave it out"
        )
    suite, test = _chosen(harness, folder / given["suite"], given.get("test", ""))
    setup = _setup(test)
    entry = test.entry.model_dump(mode="json", exclude_unset=True, exclude={"matrix", "description"})
    made = replace(test, name="set-up", steps=tuple(setup))
    return Wanted(entry, suite=replace(suite, tests=(made,)), contexts=test.contexts)


def _setup(test: Test) -> Sequence[Step]:
    if any(step.options.phase for step in test.steps):
        before = split(test).setup
        return before.steps if before else _no_setup(test)
    for index, step in enumerate(test.steps):
        if step.type == "deploy":
            return test.steps[: index + 1]
    return _no_setup(test)


def _no_setup(test: Test) -> Sequence[Step]:
    raise UsageError(
        f"{test.source}: {test.name} has no set-up",
        hint="it needs steps before its first phase, or a step deploy",
    )


def _chosen(harness: Harness, file: Path, name: str) -> tuple[Suite, Test]:
    found = harness.tests(file)
    names = [test.name for _, test in found]
    if not name and len(found) == 1:
        return found[0]
    for suite, test in found:
        if test.name == name:
            return suite, test
    hint = suggestion(name, names) if name else f"test=..., one of {', '.join(names)}"
    raise UsageError(
        f"{file.name} has no test {name!r}" if name else f"{file.name} has several tests", hint=hint
    )
