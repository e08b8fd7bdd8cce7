"""What a graph took: walls, sums, the critical path; and what was not measured is never a zero."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.judge.entry import Resumed, StepEnded, StepOmitted, StepStarted, TestStarted
from e2e_ansible.judge.graph_result import GraphResult
from e2e_ansible.judge.record import records
from e2e_ansible.judge.result import Resumption, StepResult, TestResult
from e2e_ansible.judge.test import judge_test
from e2e_ansible.judge.wall import graph_result
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.vocabulary import Vocabulary
from e2e_ansible.verdict import Status

WORDS = Vocabulary.default()
Span = tuple[float, float | None]


def say(name: str, **more: Any) -> dict[str, Any]:
    return {"step": "custom_command", "name": name, "custom_command": ["x"], **more}


def planned(*steps: Any) -> Plan:
    text = json.dumps({"workflow": list(steps)})
    (made,) = compile_suite(parse_suite(text.encode(), "s.json", vocabulary=WORDS), WORDS.step_types)
    return made


A, B = say("a", timeout_seconds=60), say("b", timeout_seconds=100)
C, D = say("c", timeout_seconds=30), say("d", timeout_seconds=10)
#: a and b at once, c when a has ended, d after all.
PLAN = planned(A, {**B, "needs": []}, {**C, "needs": ["a"]}, D)
TIMES: Mapping[str, Span] = {"a": (0, 10), "b": (0, 12), "c": (10, 40), "d": (40, 41)}
#: The same with all of the first phase before the second.
PHASED = planned(
    {"step": "group", "phase": "build", "parallel": True, "steps": [A, B]},
    {"step": "group", "phase": "services", "steps": [C, D]},
)


def results(plan: Plan, times: Mapping[str, Span]) -> list[StepResult]:
    made = []
    for step in plan.steps:
        facts = {"index": step.index, "id": step.id, "step_type": step.type, "description": ""}
        name = step.id.partition("-")[2]
        if name in times:
            start, end = times[name]
            took = (end or start) - start
            facts |= {"started": 100 + start, "ended": None if end is None else 100 + end, "duration": took}
        made.append(StepResult(**facts, status=Status.COMPLETED, source=step.source))  # type: ignore[arg-type]
    return made


def measured(plan: Plan, times: Mapping[str, Span], *resumptions: Resumption) -> GraphResult:
    found = graph_result(plan, results(plan, times), resumptions)
    assert found is not None
    return found


def test_wall_is_from_the_first_start_to_the_last_end_and_the_sum_is_of_all_steps() -> None:
    graph = measured(PLAN, TIMES)
    assert (graph.wall_seconds, graph.summed_seconds, graph.phases) == (41, 53, ())
    assert graph.speed_up == pytest.approx(53 / 41)


def test_each_phase_has_times_of_its_own() -> None:
    graph = measured(PHASED, {**TIMES, "c": (12, 40)})
    assert [(one.name, one.wall_seconds, one.summed_seconds, one.budget_seconds) for one in graph.phases] == [
        ("build", 12, 22, 100),
        ("services", 29, 29, 40),
    ]


def test_the_budget_is_the_longest_path_of_deadlines() -> None:
    graph = measured(PLAN, TIMES)
    assert graph.budget_seconds == 110


def test_the_critical_path_is_the_one_that_took_longest_not_the_one_with_the_longest_deadlines() -> None:
    graph = measured(PLAN, TIMES)
    assert (graph.path, graph.path_seconds) == (("01-a", "03-c", "04-d"), 41)
    assert [one.step for one in graph.steps if one.critical] == ["01-a", "03-c", "04-d"]
    assert measured(PLAN, {**TIMES, "b": (0, 50), "d": (50, 51)}).path == ("02-b", "04-d")


def test_a_step_without_an_end_makes_its_phase_and_the_whole_unknown_and_not_zero() -> None:
    graph = measured(PHASED, {"a": (0, 10), "b": (0, 12), "c": (12, None)})
    assert (graph.wall_seconds, graph.summed_seconds, graph.speed_up) == (None, None, None)
    assert (graph.path, graph.path_seconds) == ((), None)
    build, services = graph.phases
    assert (build.wall_seconds, services.wall_seconds, services.begun) == (12, None, True)
    assert {one.step: one.seconds for one in graph.steps} == {
        "01-a": 10,
        "02-b": 12,
        "03-c": None,
        "04-d": None,
    }


def test_what_was_not_run_takes_no_part() -> None:
    graph = measured(PHASED, {"a": (0, 10), "b": (0, 12)})
    assert (graph.path, graph.path_seconds, graph.wall_seconds) == (("02-b",), 12, 12)
    assert not graph.phases[1].begun
    assert graph.phases[1].wall_seconds is None
    nothing = measured(PLAN, {})
    assert (nothing.wall_seconds, nothing.path_seconds, nothing.speed_up) == (None, None, None)


def test_time_in_which_the_run_was_dead_is_no_time_of_the_graph() -> None:
    graph = measured(PHASED, {**TIMES, "c": (12, 40)}, Resumption(at=135, dead=20))
    assert graph.wall_seconds == 21
    assert graph.phases[0].wall_seconds == 12, "it was dead after that phase"


def test_a_watch_ends_with_its_group_and_is_on_no_path() -> None:
    watched = planned(
        {
            "step": "hypothesis",
            "checks": ["cluster_status"],
            "during": ["cluster_status"],
            "steps": [say("a")],
        }
    )
    began = {step.id.partition("-")[2]: (0.0, 9.0) for step in watched.steps if step.watch}
    graph = measured(watched, {**began, "a": (0, 8)})
    assert [step.partition("-")[2] for step in graph.path] == ["a"]
    assert (graph.wall_seconds, graph.summed_seconds) == (9, 8), "one by one it would take none of its own"


def test_a_wait_in_a_group_for_what_runs_beside_it_is_part_of_the_graph() -> None:
    inner = {"step": "group", "steps": [{"step": "wait", "for": ["a"]}, say("b")]}
    plan = planned(say("a", background=True), inner, say("c"))
    graph = measured(plan, {"a": (0, 30), "b": (30, 31), "c": (31, 32)})
    assert (graph.path, graph.path_seconds) == (("01-a", "02-b", "03-c"), 32)


def test_groups_with_a_name_are_phases_where_no_step_has_one() -> None:
    both = {"step": "group", "name": "both", "parallel": True, "steps": [say("a"), say("b")]}
    graph = measured(planned(both, say("c")), {"a": (0, 3), "b": (0, 4), "c": (4, 5)})
    (phase,) = graph.phases
    assert (phase.name, phase.steps, phase.wall_seconds, phase.summed_seconds) == (
        "both",
        ("01-a", "02-b"),
        4,
        7,
    )


def test_a_list_has_no_graph_and_its_result_is_written_without() -> None:
    plan = planned(say("a"), say("b"))
    assert graph_result(plan, results(plan, {"a": (0, 1), "b": (1, 2)})) is None
    assert "graph" not in judge_test(plan, records([]), {}).model_dump()


def test_the_judge_says_the_same_from_the_journal_alone() -> None:
    """Steps that overlap, one that was left out, and a run that had died in between."""
    begun = TestStarted(at=100, deployment="d", plan_hash=PLAN.hash)
    journal = [
        begun,
        StepStarted(at=100, step="01-a"),
        StepStarted(at=100, step="02-b"),
        StepEnded(at=110, step="01-a"),
        StepOmitted(at=110, step="03-c", reason="so"),
        Resumed(at=130, dead=15),
        StepEnded(at=140, step="02-b"),
    ]
    first = judge_test(PLAN, records(journal), {})
    assert first.graph is not None
    assert (first.graph.wall_seconds, first.graph.summed_seconds) == (25, 35)
    assert first.graph.path == ("02-b",)
    again = TestResult.model_validate_json(first.model_dump_json())
    assert again == first
    assert judge_test(PLAN, records(journal), {}).model_dump_json() == first.model_dump_json()
