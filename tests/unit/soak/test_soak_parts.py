"""A test is taken apart into set-up, cycle and end, and what could never work is told with its line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from benchmarks.cycles import course, steps
from e2e_ansible.errors import SuiteError, UsageError
from e2e_ansible.soak.course import Course
from e2e_ansible.soak.options import PlannedInjection, SoakOptions
from e2e_ansible.soak.parts import CYCLE, END, SET_UP, split
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import Suite
from e2e_ansible.suite.vocabulary import Vocabulary

Steps = Sequence[Mapping[str, Any]]
DEPLOY = {"step": "deploy"}
START = {"step": "start_client", "client": "load"}
STOP = {"step": "stop_client", "client": "load"}


def command(name: str, **more: Any) -> dict[str, Any]:
    """A command on the controller."""
    return {"step": "custom_command", "name": name, "custom_command": ["x"], **more}


def check(*checks: str, **more: Any) -> dict[str, Any]:
    """A look."""
    return {"step": "validate", "checks": list(checks), **more}


def made(workflow: Steps, **tests: Steps) -> Course:
    """What is compiled for cycles of a suite with this test, and perhaps others."""
    words = Vocabulary.default()
    all_tests = {"t": {"workflow": list(workflow)}} | {
        name: {"workflow": list(each)} for name, each in tests.items()
    }
    loaded = suite(all_tests)
    return Course(lambda contexts: loaded, words.step_types, SoakOptions(cycles=2))


def suite(tests: Mapping[str, Any]) -> Suite:
    """A suite file, line by line."""
    return parse_suite(
        json.dumps({"test_suites": tests}, indent=1).encode(), "s.json", vocabulary=Vocabulary.default()
    )


def in_phase(*workflow: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A deployed cluster, and these steps in a cycle."""
    return [DEPLOY, *({**step, "phase": "p"} for step in workflow)]


def test_three_parts_share_their_nodes() -> None:
    """Steps before the first phase and after the last one are done once; only the set-up begins with nothing."""
    found = course(SoakOptions(cycles=2))
    names = {key: [step.id for step in plan.steps] for key, plan in found.plans().items()}
    assert names["setup site_a site_b"] == ["01-begin"]
    assert names["cycle site_a site_b"] == [
        "01-preflight",
        "02-primary-prep",
        "03-activation",
        "04-post-activation",
        "05-finalization",
    ]
    assert names["end site_b site_a"] == ["01-finish"]
    assert found.shared
    assert len({plan.name for plan in found.plans().values()}) == 3
    assert len({plan.hash for plan in found.plans().values()}) == 6


def test_both_orders_of_the_contexts_are_compiled() -> None:
    """The primary node is that of the site which is primary."""
    found = course(SoakOptions(cycles=2, contexts=("site_b", "site_a")))
    assert found.contexts == ("site_b", "site_a")
    first, second = (found.plan(CYCLE, each) for each in (("site_b", "site_a"), ("site_a", "site_b")))
    assert first and second
    assert (first.primary, second.primary) == ("n12", "n11")


def test_without_phases_all_of_it_is_the_cycle() -> None:
    """Each cycle makes nodes of its own then, and may check whatever an ordinary run may."""
    found = made([DEPLOY, check("data_integrity"), {"step": "destroy"}])
    assert not found.shared
    assert list(found.plans()) == [CYCLE]
    assert found.plan(SET_UP, None) is None
    assert found.plan(END, None) is None


def test_nodes_that_are_there_are_not_away() -> None:
    """A cycle on running nodes says of none that it may be down."""
    plan = made(in_phase(check("database_running"))).plan(CYCLE, None)
    assert plan
    assert plan.steps[0].judgement.away == ()


@pytest.mark.parametrize(
    ("workflow", "bad", "words"),
    [
        (in_phase(check("data_integrity")), 1, "needs the client that only 'deploy' starts"),
        (in_phase(START, check("data_integrity"), STOP), 2, "start a client with start_client"),
        (in_phase(START, check("outage_reads:3:integrity"), STOP), 2, "only 'deploy' starts"),
        (in_phase(check("no_lost_rows")), 1, "judges clients, and none is started in a cycle"),
        (in_phase(check("outage_writes:3")), 1, "none is started"),
        (in_phase(START, check("no_lost_rows:lod"), STOP), 2, "no client lod is started in a cycle"),
        ([DEPLOY, START, {**STOP, "phase": "p"}], 2, "the client load is not started in this part"),
        (in_phase({"step": "destroy"}), 1, "removes the nodes, which all cycles share"),
        ([{**command("a"), "phase": "p"}, command("b")], 1, "every cycle has nodes of its own"),
    ],
)
def test_what_cannot_work_in_cycles_is_told_with_its_line(workflow: Steps, bad: int, words: str) -> None:
    """Before a node exists, and never as a check that stays unknown for ever."""
    with pytest.raises(SuiteError) as caught:
        made(workflow)
    source = suite({"t": {"workflow": list(workflow)}}).tests[0].steps[bad].source
    assert caught.value.problems[0].line == source.line, str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("asked", ["no_lost_rows:load", "no_lost_rows", "outage_writes:3", "one_writer:load"])
def test_a_client_of_the_cycle_can_be_judged(asked: str) -> None:
    """It is what a cycle on running nodes uses."""
    assert made(in_phase(START, STOP, check(asked))).shared


def test_the_end_may_remove_the_nodes() -> None:
    """Nothing comes after it."""
    assert made([*in_phase(command("a")), {"step": "destroy"}]).shared


def test_one_test_only() -> None:
    """Of several the user says which."""
    with pytest.raises(UsageError, match="there are 2: t, u") as caught:
        made([command("a")], u=[command("a")])
    assert "--run-test" in caught.value.hint


def test_unknown_contexts_and_injections_are_told_before_anything_starts() -> None:
    """With the nearest right word."""
    with pytest.raises(SuiteError, match="site_c"):
        course(SoakOptions(cycles=1, contexts=("site_c", "site_a")))
    with pytest.raises(UsageError, match="activatio") as caught:
        course(SoakOptions(cycles=1, inject="kill_observability", inject_at_phase="activatio"))
    assert "activation" in caught.value.hint
    with pytest.raises(UsageError, match="nothing can be injected at phase"):
        bad = PlannedInjection(cycle=7, scenario="kill_observability", phase="nowhere")
        course(SoakOptions(cycles=9, schedule=(bad,)))


def test_a_cycle_with_an_injection_has_a_plan_of_its_own() -> None:
    """It is compiled once for the cycles that have the same."""
    bad = PlannedInjection(cycle=2, scenario="crash", phase="activation", target="n11")
    found = course(SoakOptions(cycles=3, schedule=(bad,)))
    contexts = found.contexts
    plain, nothing = found.cycle(1, contexts)
    other, injection = found.cycle(2, contexts)
    assert nothing is None
    assert injection is not None
    assert plain.hash == found.plans()["cycle site_a site_b"].hash != other.hash
    assert len(other.steps) > len(plain.steps)
    assert split(course(SoakOptions(cycles=1), steps()).load(None).tests[0]).shared
