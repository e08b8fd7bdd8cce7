"""Step types: where they come from, what they ask for, and how each is judged."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from pydantic import ValidationError

from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.providers.capabilities import Requirement
from e2e_ansible.steps import base, registry
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, play
from e2e_ansible.steps.judgement import Replay
from e2e_ansible.steps.registry import register, step_types
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.suite.parameters import Parameters
from e2e_ansible.verdict import Cause, Verdict

NODES = ("n11", "n12", "n13")
LABELS = dict.fromkeys(NODES, ("database",))
CONTEXT = CompileContext("local", NODES, LABELS, Parameters(), primary="n11")


class Checkpoint(StepType[StepOptions]):
    """One that a package or a suite brings."""

    name = "checkpoint"
    summary = "For tests"
    options = StepOptions

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        return CompiledStep(plays=[play("Checkpoint", context.nodes)], hosts=context.nodes)


class Another(Checkpoint):
    """Another one of the same name."""


class FakeInit(Checkpoint):
    """One that would take the place of a built-in."""

    name = "init"


def options(step: str, **given: Any) -> Any:
    return step_types()[step].options.model_validate({"step": step, **given})


def compiled(step: str, **given: Any) -> CompiledStep:
    return step_types()[step].compile(options(step, **given), CONTEXT)


@pytest.fixture
def no_others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_registered", {})
    registry._from_entry_points.cache_clear()
    yield
    registry._from_entry_points.cache_clear()


@pytest.fixture
def installed(no_others: None, monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    points: list[EntryPoint] = []
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    return points


def point(name: str) -> EntryPoint:
    return EntryPoint(name, f"{__name__}:{name}", registry.ENTRY_POINT_GROUP)


def test_the_example_works() -> None:
    assert doctest.testmod(base).attempted
    assert not doctest.testmod(base).failed


@pytest.mark.parametrize("name", sorted(step_types()))
def test_a_step_type_is_complete(name: str) -> None:
    step_type = step_types()[name]
    assert step_type.name == name
    assert step_type.summary
    assert step_type.__doc__
    assert [key for key, info in step_type.options.model_fields.items() if not info.description] == []


def test_a_step_type_can_be_registered(no_others: None) -> None:
    assert register(Checkpoint) is Checkpoint
    assert register(Checkpoint) is Checkpoint
    assert isinstance(step_types()["checkpoint"], Checkpoint)
    with pytest.raises(UsageError, match="a step type named 'checkpoint' exists already"):
        register(Another)
    with pytest.raises(UsageError, match="a step type named 'init' exists already"):
        register(FakeInit)


def test_a_step_type_comes_from_a_package_under_its_own_name(installed: list[EntryPoint]) -> None:
    installed.append(EntryPoint("whatever", f"{__name__}:Checkpoint", registry.ENTRY_POINT_GROUP))
    assert type(step_types()["checkpoint"]).__name__ == "Checkpoint"
    assert "whatever" not in step_types()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["FakeInit"], "brings a second step type 'init'"),
        (["Checkpoint", "Another"], "brings a second step type 'checkpoint'"),
        (["Missing"], "cannot be loaded: AttributeError"),
        (["options"], "is not a StepType"),
    ],
)
def test_a_broken_package_is_named(names: list[str], message: str, installed: list[EntryPoint]) -> None:
    installed.extend(map(point, names))
    with pytest.raises(HarnessError, match=message) as raised:
        step_types()
    assert names[-1] in str(raised.value)


def test_a_play_for_no_host_is_for_no_host() -> None:
    assert play("A", ())["hosts"] == []
    assert play("A", ("n11",))["hosts"] == "n11"
    assert play("A", "database")["hosts"] == "database"


@pytest.mark.parametrize("step", ["stop_node", "start_node", "restart_node", "crash_node"])
def test_a_step_on_one_node_needs_and_names_it(step: str) -> None:
    with pytest.raises(ValidationError, match="target_node"):
        options(step)
    given = options(step, target_node="n12")
    assert step_types()[step].node_names(given) == [("target_node", "n12")]
    assert compiled(step, target_node="n12").hosts == ("n12",)


def test_a_command_names_all_its_nodes() -> None:
    given = options("custom_command", custom_command=["id"], targets=["n11", "n13"], target_node="n12")
    names = step_types()["custom_command"].node_names(given)
    assert names == [("targets", "n11"), ("targets", "n13"), ("target_node", "n12")]


NEEDS = [
    ("stop_cluster", {}, [Requirement.CLUSTER_STOP_START]),
    ("start_cluster", {}, [Requirement.CLUSTER_STOP_START]),
    ("stop_node", {}, [Requirement.NODE_STOP_START]),
    ("start_node", {}, [Requirement.NODE_STOP_START]),
    ("restart_node", {}, [Requirement.REBOOT_SSH]),
    ("restart_node", {"method": "graceful"}, [Requirement.REBOOT_GRACEFUL]),
    ("crash_node", {}, [Requirement.CRASH_SSH]),
    ("crash_node", {"method": "destroy"}, [Requirement.CRASH_DESTROY]),
    ("crash_node", {"await_return": True}, [Requirement.CRASH_SSH, Requirement.CRASH_RETURNS]),
    ("init", {}, []),
]


@pytest.mark.parametrize(("step", "given", "expected"), NEEDS)
def test_what_a_step_needs_of_its_provider(
    step: str, given: dict[str, Any], expected: list[Requirement]
) -> None:
    node = {"target_node": "n11"} if "_node" in step else {}
    found = step_types()[step].requires(options(step, **node, **given))
    assert list(found) == expected


def test_a_destroyed_node_does_not_return() -> None:
    with pytest.raises(ValidationError, match="a destroyed node stays off"):
        options("crash_node", target_node="n11", method="destroy", await_return=True)


@pytest.mark.parametrize(
    ("step", "unproved"),
    [
        ("stop_node", Verdict.UNKNOWN),
        ("crash_node", Verdict.UNKNOWN),
        ("restart_node", Verdict.UNKNOWN),
        ("start_node", Verdict.FAIL),
    ],
)
def test_what_is_done_to_a_node_needs_a_proof(step: str, unproved: Verdict) -> None:
    judgement = compiled(step, target_node="n12").judgement
    assert judgement.proofs == ("n12",)
    assert judgement.unproved is unproved
    assert judgement.disconnects == (() if step == "start_node" else ("n12",))


def test_who_is_to_blame_and_what_may_be_repeated() -> None:
    command = {"custom_command": ["id"]}
    found = {
        "init": compiled("init"),
        "deploy": compiled("deploy"),
        "validate": compiled("validate", checks=["cluster_status"]),
        "custom_command": compiled("custom_command", **command),
        "destroy": compiled("destroy"),
    }
    assert {name: step.judgement.failure_cause for name, step in found.items()} == {
        "init": Cause.INFRASTRUCTURE,
        "deploy": Cause.PRODUCT,
        "validate": Cause.PRODUCT,
        "custom_command": Cause.PRODUCT,
        "destroy": Cause.CLEAN_UP,
    }
    assert {name: step.replay for name, step in found.items()} == {
        "init": Replay.REPEATABLE,
        "deploy": Replay.VERIFY_FIRST,
        "validate": Replay.REPEATABLE,
        "custom_command": Replay.NEVER,
        "destroy": Replay.VERIFY_FIRST,
    }
    assert [name for name, step in found.items() if step.starts_writer] == ["deploy"]
    assert [name for name, step in found.items() if step.removes_nodes] == ["destroy"]
