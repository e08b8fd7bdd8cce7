"""Reports of a flow: steps that run at once are both shown as running, and one that was left out says why."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from e2e_ansible.judge.result import RunResult, StepResult, TestResult
from e2e_ansible.report.html import html
from e2e_ansible.report.junit import junit_xml
from e2e_ansible.report.narration import Narration
from e2e_ansible.report.notice import RunStarted, StepEnded, StepStarted, StepSummary, TestStarted
from e2e_ansible.report.pen import Pen
from e2e_ansible.report.progress import RunProgress
from e2e_ansible.report.screen import Screen
from e2e_ansible.suite.model import SourceRef
from e2e_ansible.verdict import Status, Verdict

SOURCE = SourceRef(file="s.yaml", line=1, column=1)
NAMES = ("01-a", "02-b", "03-c")
REASON = "'a' == 'b' is not true"
BEGIN = TestStarted(
    at=1.0,
    test="t",
    deployment_id="t-1",
    steps=tuple(StepSummary(id=name, type=f"kind-{name}", description="", source=SOURCE) for name in NAMES),
)


def left_out() -> StepResult:
    facts = {"index": 3, "id": "03-c", "step_type": "kind-03-c", "description": "", "source": SOURCE}
    return StepResult(**facts, status=Status.OMITTED, omitted=REASON)  # type: ignore[arg-type]


def begun(name: str) -> StepStarted:
    return StepStarted(at=2.0, test="t", step=name, deadline_seconds=60)


def test_steps_that_run_at_once_are_both_running() -> None:
    progress = RunProgress()
    start = RunStarted(at=0.0, run_id="r", folder="f", suite="s.yaml", tests=("t",))
    for notice in (start, BEGIN, begun("01-a"), begun("02-b")):
        progress.take(notice)
    screen = Screen(Pen(ascii_only=True), width=80, height=24, now=5.0)
    running = [line.plain for line in screen.lines(progress) if " / " in line.plain]
    assert [name for name in NAMES for line in running if name in line] == ["01-a", "02-b"]


def test_a_step_that_was_left_out_says_why() -> None:
    narration = Narration(tasks=False)
    narration.lines(BEGIN)
    said = narration.lines(StepEnded(at=3.0, test="t", result=left_out()))
    assert said == ["step 3/3 kind-03-c c: SKIPPED", f"    reason   {REASON}"]


def test_the_files_of_a_run_take_a_step_that_was_left_out() -> None:
    test = TestResult(
        deployment_id="t-1",
        name="t",
        provider="local",
        success=True,
        verdict=Verdict.PASS,
        workflow_steps=(left_out(),),
    )
    result = RunResult(
        run_id="r",
        suite="s.yaml",
        verdict=Verdict.PASS,
        total_tests=1,
        passed=1,
        failed=0,
        unknown=0,
        tests=(test,),
    )
    (skipped,) = ElementTree.fromstring(junit_xml(result, folder="f")).iter("skipped")
    assert skipped.get("message") == REASON
    assert "kind-03-c" in html(result, version="1")
