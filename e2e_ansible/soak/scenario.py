"""What may be injected into a cycle: the names of it, where it goes, and whether a test can have it at all. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from e2e_ansible.errors import UsageError
from e2e_ansible.faults.choose import check_target, fixed, least_nodes
from e2e_ansible.faults.registry import fault_named, faults
from e2e_ansible.names import suggestion
from e2e_ansible.nodes.services import repository_node
from e2e_ansible.providers.capabilities import PROVIDERS
from e2e_ansible.soak.options import PlannedInjection
from e2e_ansible.steps.fault import FaultStep, FaultStepOptions
from e2e_ansible.suite.model import Test

__all__ = [
    "PHASE",
    "RANDOM",
    "SCENARIOS",
    "Scenario",
    "check_injection",
    "expires",
    "phases_of",
    "possible",
    "removal",
    "scenario_named",
    "usual_phase",
    "usual_target",
]

RANDOM = "random"
PHASE = "activation"
"""Where something is injected that has no phase of its own."""

_DELAY_SECONDS = 20.0
_EXPIRES_SECONDS = 3600.0


@dataclass(frozen=True)
class Scenario:
    """A fault with a name of its own on the command line. It is over after `seconds`, or at the end of the cycle."""

    name: str
    fault: str
    seconds: float = _EXPIRES_SECONDS


#: What `random` draws from, in this order.
SCENARIOS: Mapping[str, Scenario] = {
    each.name: each
    for each in (
        Scenario("pause-backup", "pause_backup"),
        Scenario("delay-restore", "delay_restore", _DELAY_SECONDS),
        Scenario("kill-observability", "kill_observability"),
    )
}
_ALIASES = {"kill-observability-pod": "kill_observability"}


def scenario_named(name: str) -> str:
    """The name of the fault that is meant, or `random`.

    Raises:
        UsageError: there is none; the hint names the nearest.
    """
    if name == RANDOM:
        return name
    known = faults()
    found = SCENARIOS[name].fault if name in SCENARIOS else _ALIASES.get(name, name.replace("-", "_"))
    if found not in known:
        words = [*SCENARIOS, RANDOM, *(each for each in known if each.replace("_", "-") not in SCENARIOS)]
        raise UsageError(f"nothing named {name!r} can be injected", hint=suggestion(name, words))
    return found


def expires(fault: str) -> float:
    """Seconds after which the node ends it by itself."""
    return next((each.seconds for each in SCENARIOS.values() if each.fault == fault), _EXPIRES_SECONDS)


def phases_of(test: Test) -> tuple[str, ...]:
    """The phases that something can be injected into, in order: at their beginning the nodes are there."""
    types = [step.type for step in test.steps]
    begin = types.index("deploy") + 1 if "deploy" in types else 0
    found: dict[str, int] = {}
    for index, step in enumerate(test.steps[: removal(test)]):
        if step.options.phase:
            found.setdefault(step.options.phase, index)
    return tuple(phase for phase, index in found.items() if index >= begin)


def removal(test: Test) -> int:
    """The place of the first step that removes the nodes, else the number of steps."""
    return next((index for index, step in enumerate(test.steps) if step.type == "destroy"), len(test.steps))


def usual_phase(test: Test) -> str:
    """The phase for what names none: activation, else the first one; '' for a test without phases."""
    phases = phases_of(test)
    return PHASE if PHASE in phases else next(iter(phases), "")


def usual_target(fault: str, test: Test) -> str:
    """Where a fault goes that names no target: where its subject is, else to the node that takes writes."""
    if fault in ("pause_backup", "delay_restore"):
        return _keeper(test) or test.primary
    sites = test.contexts is not None
    by_name = fault == "kill_observability" or sites or test.entry.parameters.database == "standalone"
    return test.primary if by_name else "primary"


def possible(test: Test) -> tuple[str, ...]:
    """The faults that `random` may draw for this test: those whose subject it has."""
    parameters = test.entry.parameters
    has = {
        "pause_backup": bool(parameters.backup),
        "delay_restore": bool(parameters.backup) and _is_served(test),
        "kill_observability": bool(parameters.exporter),
    }
    return tuple(each.fault for each in SCENARIOS.values() if has[each.fault])


def _keeper(test: Test) -> str:
    """The node with the repository; '' where each server keeps its own."""
    labels = test.entry.labels
    servers = [node for node, has in labels.items() if "database" in has]
    alone = test.entry.parameters.database == "standalone" and len(servers) > 1
    return "" if alone else repository_node(labels)


def _is_served(test: Test) -> bool:
    """Whether the repository is asked over the network."""
    keeper = _keeper(test)
    return bool(keeper) and any(
        node != keeper for node, has in test.entry.labels.items() if "database" in has
    )


def check_injection(test: Test, injection: PlannedInjection) -> None:
    """Raise unless this test can have it.

    Raises:
        UsageError: its fault, phase or target is unknown, or its provider or cluster cannot have it.
    """
    for text, hint in _problems(test, injection):
        raise UsageError(text, hint=hint)


def _problems(test: Test, injection: PlannedInjection) -> Iterator[tuple[str, str]]:
    phases = phases_of(test)
    if not phases:
        text = f"test {test.name!r} has no phase that something can be injected into"
        yield text, "give steps of its workflow, after 'deploy', a 'phase'"
    if injection.phase not in phases:
        text = f"nothing can be injected at phase {injection.phase!r} of test {test.name!r}"
        yield text, suggestion(injection.phase, phases)
    fault = fault_named(injection.scenario)
    needed = [name for name, field in fault.options.model_fields.items() if field.is_required()]
    if needed:
        text = f"{fault.name} cannot be injected, because it needs options: {', '.join(needed)}"
        yield text, "write a step fault into the suite"
    yield from _of_target(test, injection.target or usual_target(fault.name, test))
    options = FaultStepOptions(step="fault", fault=fault.name, target="all")
    for requirement in FaultStep().requires(options):
        cell = PROVIDERS[test.entry.provider].get(requirement) if test.entry.provider in PROVIDERS else None
        if cell is None or not cell.supported:
            text = f"provider {test.entry.provider!r} cannot do {requirement.value}, which {fault.name} needs"
            yield text, cell.note if cell else ""


def _of_target(test: Test, target: str) -> Iterator[tuple[str, str]]:
    labels = test.entry.labels
    every: Sequence[str] = sorted({label for has in labels.values() for label in has})
    try:
        check_target(target, list(labels), every)
    except UsageError as error:
        yield str(error), error.hint
        return
    size = test.entry.parameters.cluster_size
    if not fixed(target, labels) and size < least_nodes(target):
        yield f"target {target!r} needs at least {least_nodes(target)} nodes", f"this test has {size}"
    elif test.entry.parameters.database == "standalone" and target in ("replica", "primary") and size > 1:
        yield f"no node of this test is the {target}", "its database is standalone: name a node"
