"""The graph in reports: drawn where it was run, its times in a table, the critical path marked, the unknown said."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from e2e_ansible.compile.compiler import compile_suite
from e2e_ansible.compile.plan import Plan
from e2e_ansible.judge.graph_result import GraphPhase, GraphResult, GraphStep
from e2e_ansible.judge.result import RunResult, StepResult, TestResult
from e2e_ansible.report.graph import drawing, graph_words, phase_rows, time_rows
from e2e_ansible.report.html import html
from e2e_ansible.report.plan_graph import graph_data, print_graph
from e2e_ansible.report.summary import print_summary
from e2e_ansible.suite.load import parse_suite
from e2e_ansible.suite.model import SourceRef
from e2e_ansible.suite.vocabulary import Vocabulary
from e2e_ansible.verdict import Status, Verdict

SOURCE = SourceRef(file="s.yaml", line=1, column=1)
TIMES = {
    "01-image": (0.0, 10.0),
    "02-stroppy": (0.0, 30.0),
    "03-nodes": (10.0, 25.0),
    "04-ready": (30.0, 31.0),
}
AFTER = {"03-nodes": ("01-image",), "04-ready": ("02-stroppy", "03-nodes")}


def step(number: int, name: str, *, cut: bool = False, begun: bool = True) -> StepResult:
    start, end = TIMES[name]
    return StepResult(
        index=number,
        id=name,
        step_type="custom_command",
        description="",
        status=Status.COMPLETED if begun else Status.SKIPPED,
        verdict=Verdict.PASS if begun else None,
        started=1000 + start if begun else None,
        ended=None if cut or not begun else 1000 + end,
        duration=end - start if begun else 0,
        source=SOURCE,
    )


def a_test(*, cut: bool = False, begun: bool = True) -> TestResult:
    path = () if cut or not begun else ("02-stroppy", "04-ready")
    steps = tuple(
        GraphStep(
            step=name,
            after=AFTER.get(name, ()),
            level=1,
            budget_seconds=60,
            seconds=None if cut or not begun else end - start,
            critical=name in path,
        )
        for name, (start, end) in TIMES.items()
    )
    known: dict[str, Any] = {} if cut or not begun else {"wall_seconds": 31, "summed_seconds": 56}
    built: dict[str, Any] = {} if cut or not begun else {"wall_seconds": 30, "summed_seconds": 40}
    build = GraphPhase(name="build", steps=tuple(TIMES)[:2], begun=begun, budget_seconds=60, **built)
    graph = GraphResult(
        steps=steps,
        phases=(build,),
        path=path,
        path_seconds=None if cut or not begun else 31,
        budget_seconds=180,
        **known,
    )
    return TestResult(
        deployment_id="t-1",
        name="t",
        provider="local",
        success=True,
        verdict=Verdict.PASS,
        started=1000,
        workflow_steps=tuple(
            step(number, name, cut=cut, begun=begun) for number, name in enumerate(TIMES, 1)
        ),
        graph=graph,
    )


def run_of(test: TestResult) -> RunResult:
    counts = {"total_tests": 1, "passed": 1, "failed": 0, "unknown": 0}
    return RunResult(run_id="r", suite="s.yaml", verdict=Verdict.PASS, tests=(test,), **counts)  # type: ignore[arg-type]


def test_bars_and_links_lie_where_steps_began_and_ended() -> None:
    drawn = drawing(a_test(), "test-1")
    assert drawn is not None
    assert [(one.name, one.place.left, one.place.right) for one in drawn.steps] == [
        ("01-image", 0, 32.26),
        ("02-stroppy", 0, 96.77),
        ("03-nodes", 32.26, 80.65),
        ("04-ready", 96.77, 100),
    ]
    assert [(one.left, one.right, one.top, one.bottom, one.critical) for one in drawn.links] == [
        (32.26, 32.26, 12, 60, False),
        (96.77, 96.77, 36, 84, True),
        (80.65, 96.77, 60, 84, False),
    ]


def test_the_page_draws_the_graph_and_marks_the_critical_path() -> None:
    page = html(run_of(a_test()))
    assert "<h3>Graph</h3>" in page
    assert page.count('class="link critical"') == 1
    assert len(re.findall(r'<rect class="b-pass critical"', page)) == 2
    assert page.count("◆ critical") == 2
    assert (
        "56s of steps in 31s, 1.8x as fast as one by one; critical path 31s: 02-stroppy &gt; 04-ready" in page
    )


def test_the_table_has_budget_wall_and_sum_of_each_phase_and_of_the_whole() -> None:
    rows = time_rows(a_test(), "test-1")
    assert [(one.name, one.budget, one.wall, one.summed, one.speed_up, one.inner) for one in rows] == [
        ("build", "1m", "30s", "40s", "1.3x", False),
        ("01-image", "1m", "10s", "", "", True),
        ("02-stroppy", "1m", "30s", "", "", True),
        ("03-nodes", "1m", "15s", "", "", False),
        ("04-ready", "1m", "1.0s", "", "", False),
        ("whole test", "3m", "31s", "56s", "1.8x", False),
    ]


def test_times_that_were_not_measured_are_told_as_unknown_and_never_as_zero() -> None:
    test = a_test(cut=True)
    assert "not known" in graph_words(test)
    assert {(one.wall, one.summed) for one in phase_rows(test)} == {("unknown", "unknown")}
    assert {one.wall for one in time_rows(test, "x")} == {"unknown"}
    page = html(run_of(test))
    assert "0.0s" not in page.partition("<h3>Graph</h3>")[2].partition("<h3>Steps</h3>")[0]


def test_steps_of_which_none_ran_beside_another_gained_nothing() -> None:
    test = a_test()
    assert test.graph is not None
    alone = test.graph.model_copy(update={"summed_seconds": test.graph.wall_seconds})
    assert "as fast" in graph_words(test)
    assert "as fast" not in graph_words(test.model_copy(update={"graph": alone}))


def test_a_test_that_was_not_begun_is_told_as_that() -> None:
    test = a_test(begun=False)
    assert drawing(test, "x") is None
    assert graph_words(test) == "no step of it was run"
    assert {one.wall for one in time_rows(test, "x")} == {"not run"}
    assert "<h3>Graph</h3>" not in html(run_of(test))


def test_a_list_has_no_graph_on_the_page() -> None:
    test = a_test().model_copy(update={"graph": None})
    assert (drawing(test, "x"), time_rows(test, "x"), graph_words(test)) == (None, [], "")
    assert "<h3>Graph</h3>" not in html(run_of(test))


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_is_no_wider_than_the_terminal_and_tells_what_was_gained(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    print_summary(console, run_of(a_test()), "runs/r")
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line.rstrip()) <= width for line in said.splitlines())
    words = " ".join(said.split())
    assert "critical path 31s: 02-stroppy > 04-ready" in words
    assert "build 1m 30s 40s 1.3x" in words
    assert "whole test 3m 31s 56s 1.8x" in words
    assert re.search(r"^\s+\*2 custom_command", said, re.M)
    assert re.search(r"^\s+1 custom_command", said, re.M)


# ---- the graph of a plan


def planned(*steps: Any) -> Plan:
    import json

    words = Vocabulary.default()
    text = json.dumps({"workflow": list(steps)})
    (made,) = compile_suite(parse_suite(text.encode(), "s.json", vocabulary=words), words.step_types)
    return made


def say(name: str, **more: Any) -> dict[str, Any]:
    return {"step": "custom_command", "name": name, "custom_command": ["x"], **more}


GRAPH = (
    say("image"),
    say("stroppy", needs=[], timeout_seconds=900),
    say("nodes", needs=["image"]),
    say("ready"),
)


def printed(plan: Plan, width: int, *, terminal: bool = True) -> str:
    file = io.StringIO()
    print_graph(Console(file=file, width=width, force_terminal=terminal, color_system=None), plan)
    return file.getvalue()


def test_a_plan_shows_its_levels_edges_and_critical_path() -> None:
    lines = printed(planned(*GRAPH), 80, terminal=False).splitlines()
    assert lines == [
        "graph: 4 steps in 3 levels; at most 20m, one by one 30m",
        "   level  step        at most  after",
        "       1  01-image         5m",
        "*      1  02-stroppy      15m",
        "       2  03-nodes         5m  01-image",
        "*      3  04-ready         5m  02-stroppy, 03-nodes",
        "critical path (*), at most 20m: 02-stroppy > 04-ready",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_a_wide_graph_is_wrapped_to_the_terminal(width: int) -> None:
    many = [say(f"service-number-{number}", needs=["image"]) for number in range(20)]
    said = printed(planned(say("image"), *many, say("ready")), width)
    assert all(len(line) <= width for line in said.splitlines())
    assert said.count("service-number-7") == 2


def test_a_list_prints_no_graph() -> None:
    plan = planned(say("a"), say("b"))
    assert (printed(plan, 80), graph_data(plan)) == ("", None)


def test_the_graph_of_a_plan_as_data() -> None:
    data = graph_data(planned(*GRAPH))
    assert data is not None
    assert (data["levels"], data["budget_seconds"], data["summed_seconds"]) == (3, 1200, 1800)
    assert data["path"] == ["02-stroppy", "04-ready"]
    assert data["steps"][2] == {
        "step": "03-nodes",
        "after": ["01-image"],
        "level": 2,
        "budget_seconds": 300,
        "critical": False,
        "on_failure": False,
    }
