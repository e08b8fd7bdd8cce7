"""All checks by name: built-in, from installed packages (entry points), and registered by a suite's code."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType, ModuleType
from typing import Any

from e2e_ansible.checks import (
    admin_ui,
    cluster,
    database,
    history,
    integrity,
    nodes,
    patroni,
    physical,
    services,
    sites,
)
from e2e_ansible.checks.base import SECONDS, Check, Outcome, Situation, failed, passed, unknown
from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.nodes.observation import Observation

__all__ = [
    "GROUP",
    "CustomCheck",
    "ValidationRegistry",
    "checks",
    "custom",
    "custom_context",
    "evaluate",
    "is_built_in",
    "isolated",
    "parse",
    "validation_registry",
]

GROUP = "e2e_ansible.checks"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,79}")
_FAMILIES = (cluster, nodes, database, admin_ui, integrity, physical, history, patroni, services, sites)
_BUILT_IN: Mapping[str, Check] = MappingProxyType(
    {check.name: check for family in _FAMILIES for check in family.CHECKS}
)


@dataclass(frozen=True)
class CustomCheck:
    """A user's function. It may do I/O, so it is called while the test runs and its outcome is recorded."""

    name: str
    description: str
    function: Callable[[dict[str, Any]], bool]
    allow_failure: bool = False

    def run(self, context: dict[str, Any]) -> Outcome:
        """Call it. Anything but True or False is unknown, an exception too."""
        try:
            answer: object = self.function(context)
        except Exception as error:
            return unknown(f"{self.name} raised {type(error).__name__}: {error}")
        if answer is True:
            return passed(f"{self.name} returned True")
        if answer is False:
            return failed(f"{self.name} returned False")
        return unknown(f"{self.name} returned {type(answer).__name__}, not True or False")

    def as_check(self) -> Check:
        """The check that stands for it in plans; held against an observation alone it decides nothing."""
        text = f"{self.name} is decided by its own function while the test runs, and no outcome was recorded"
        return Check(self.name, self.description, lambda *_: unknown(text), allow_failure=self.allow_failure)


@dataclass
class _State:
    custom: dict[str, CustomCheck] = field(default_factory=dict)
    plugins: dict[str, Check] | None = None


_scopes = [_State()]


@contextmanager
def isolated() -> Iterator[None]:
    """Begin with the built-ins only, and forget what was registered and loaded within at the end."""
    _scopes.append(_State())
    try:
        yield
    finally:
        _scopes.pop()


class ValidationRegistry:
    """Where a suite's own code registers checks; on the class and on `validation_registry` alike."""

    @classmethod
    def register(
        cls,
        name: str,
        description: str,
        function: Callable[[dict[str, Any]], bool],
        allow_failure: bool = False,
    ) -> None:
        """Make `function(context) -> bool` a check; `custom_context` says what the context holds.

        Raises:
            UsageError: a bad name, one that is taken, or something that cannot be called.
        """
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            hint = "letters, digits, _ and -, a letter first"
            raise UsageError(f"{name!r} is no name for a check", hint=hint)
        if not callable(function):
            raise UsageError(f"the function of the check {name} cannot be called")
        state = _scopes[-1]
        if name in _BUILT_IN:
            raise UsageError(f"the check {name} is built in")
        if name in state.custom or name in (state.plugins or {}):
            raise UsageError(f"the check {name} is registered already")
        state.custom[name] = CustomCheck(name, str(description), function, bool(allow_failure))


validation_registry = ValidationRegistry()


def is_built_in(text: str) -> bool:
    """Whether `name:argument:argument` names a check of this package, which any judge can repeat."""
    return text.partition(":")[0] in _BUILT_IN


def custom(name: str) -> CustomCheck | None:
    """The user's function behind a check's name; None when the check is a pure predicate or not known."""
    checks()
    return _scopes[-1].custom.get(name)


def checks() -> Mapping[str, Check]:
    """Every known check by name. The first call loads the entry points.

    Raises:
        HarnessError: an installed package has a broken entry point; the message names it.
    """
    state = _scopes[-1]
    if state.plugins is None:
        state.plugins = _load(entry_points(group=GROUP), state)
    own = {name: check.as_check() for name, check in state.custom.items()}
    return MappingProxyType({**_BUILT_IN, **state.plugins, **own})


def _load(points: Iterable[EntryPoint], state: _State) -> dict[str, Check]:
    found: dict[str, Check] = {}
    for point in points:
        for check in _checks_of(point):
            if check.name in _BUILT_IN or check.name in found:
                raise HarnessError(f"the entry point {_title(point)} brings a second check {check.name}")
            found[check.name] = check
    both = sorted(found.keys() & state.custom.keys())
    if both:
        raise HarnessError(f"checks are both registered and brought by an entry point: {', '.join(both)}")
    return found


def _title(point: EntryPoint) -> str:
    return f"{point.name} = {point.value} ({GROUP})"


def _checks_of(point: EntryPoint) -> Sequence[Check]:
    """What an entry point brings: a check, several, or a module whose import registers its own."""
    try:
        thing: object = point.load()
        if isinstance(thing, ModuleType):
            return ()
        several = [thing] if isinstance(thing, Check) else list(thing)  # type: ignore[call-overload]
    except Exception as error:
        text = f"the entry point {_title(point)} is broken: {type(error).__name__}: {error}"
        raise HarnessError(text, hint="update or remove the package that brings it") from error
    found = [check for check in several if isinstance(check, Check) and _NAME.fullmatch(check.name)]
    if len(found) != len(several):
        raise HarnessError(f"the entry point {_title(point)} brings something else than well named checks")
    return found


def parse(text: str, nodes: Sequence[str] | None = None) -> tuple[Check, tuple[str, ...]]:
    """A check and its arguments from `name:argument:argument`; a node must be one of `nodes`, if given.

    Raises:
        UsageError: no such check, too few or too many arguments, or a value that is not allowed.
    """
    name, *arguments = text.split(":")
    known = checks()
    check = known.get(name)
    if check is None:
        raise UsageError(f"there is no check named {name!r}", hint=_nearest(name, known))
    if not check.required_arguments <= len(arguments) <= len(check.arguments):
        raise UsageError(f"{text!r} has {len(arguments)} arguments", hint=f"write {_usage(check)}")
    for kind, value in zip(check.arguments, arguments, strict=False):
        if kind == "seconds" and not SECONDS.fullmatch(value):
            raise UsageError(
                f"{value!r} is no number of seconds for {name}", hint=f"write {name}:5 or {name}:0.5"
            )
        allowed = nodes if kind == "node" and nodes is not None else check.choices.get(kind)
        if not value or (allowed is not None and value not in allowed):
            raise UsageError(f"{value!r} is no {kind} for {name}", hint=_nearest(value, allowed or ()))
    return check, tuple(arguments)


def _usage(check: Check) -> str:
    needed = "".join(f":<{name}>" for name in check.arguments[: check.required_arguments])
    rest = "".join(f"[:<{name}>]" for name in check.arguments[check.required_arguments :])
    return check.name + needed + rest


def _nearest(word: str, known: Iterable[str]) -> str:
    among = list(known)
    near = difflib.get_close_matches(word.lower(), among, n=1)
    return f"did you mean {near[0]}?" if near else f"known are: {', '.join(sorted(among))}"


def evaluate(text: str, situation: Situation) -> Outcome:
    """Hold `name:argument:argument` against a situation. Whatever goes wrong is unknown, never a pass."""
    if not situation.expected:
        return unknown("the test has no nodes, so nothing was shown")
    try:
        check, arguments = parse(text, tuple(situation.expected))
        outcome: object = check.evaluate(situation, arguments)
    except Exception as error:
        return unknown(f"{text} could not be decided: {type(error).__name__}: {error}")
    if not isinstance(outcome, Outcome) or not (outcome.passed is None or isinstance(outcome.passed, bool)):
        return unknown(f"{text} returned {outcome!r}, which is no outcome")
    return outcome


def custom_context(
    *, deploy_dir: str, observation: Observation, deployment_id: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """What a custom function gets; `deploy_dir` is the test's run folder, `nodes` the look as plain data."""
    return {
        "deploy_dir": deploy_dir,
        "observation": observation,
        "nodes": [node.model_dump(mode="json") for node in observation],
        "deployment_id": deployment_id,
        "parameters": dict(parameters),
    }
