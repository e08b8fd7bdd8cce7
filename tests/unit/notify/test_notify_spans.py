"""Spans as a collector receives them: decoded, and compared with the result and the journal they are from."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from receivers import Receiver, attributes, free_port, receiver
from soak_script import RUN, cycle_start, ended, started

from e2e_ansible.judge.record import records
from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.notify.deliveries import FILE
from e2e_ansible.notify.ids import trace_id
from e2e_ansible.notify.news import Broken, Thing
from e2e_ansible.notify.notifier import Notifier
from e2e_ansible.notify.options import NotifyOptions, open_notifier
from e2e_ansible.notify.scrub import Secrets
from e2e_ansible.notify.spans import Spans, exporter
from e2e_ansible.report.notice import Attempted, TestEnded
from e2e_ansible.run.journal import read_journal
from e2e_ansible.verdict import Cause, Verdict
from e2e_ansible.verdict import Status as StepStatus

EVENTS = Path(__file__).parents[2] / "data" / "events"
CASES = sorted(path.parent.name for path in EVENTS.glob("*/journal.jsonl"))
CODES = {
    None: Status.STATUS_CODE_UNSET,
    Verdict.PASS: Status.STATUS_CODE_OK,
    Verdict.FAIL: Status.STATUS_CODE_ERROR,
    Verdict.UNKNOWN: Status.STATUS_CODE_ERROR,
}
CANARY = "kanarienvogel77"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiver() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        yield made


def recorded(case: str, run: Path, place: str = "tests") -> TestResult:
    """A test of a run, with the files that it has left."""
    result = TestResult.model_validate_json((EVENTS / case / "result.json").read_text())
    shutil.copytree(EVENTS / case, run / place / case)
    return result.model_copy(update={"folder": f"{place}/{case}"})


def export(run: Path, *things: Thing) -> None:
    spans = Spans(*exporter({}, Secrets()))
    for thing in (started(run), *things):
        told = spans.pick(thing)
        assert told is not None
        spans.deliver(told, 5)


def over(result: TestResult) -> TestEnded:
    return TestEnded(at=result.ended or 0, result=result)


def seconds(span: Span) -> tuple[float, float]:
    return span.start_time_unix_nano / 1e9, span.end_time_unix_nano / 1e9


def below(spans: Sequence[Span], parent: Span) -> list[Span]:
    found = [span for span in spans if span.parent_span_id == parent.span_id]
    return sorted(found, key=lambda span: (span.start_time_unix_nano, attributes(span).get("e2e.attempt", 0)))


def named(spans: Sequence[Span], name: str) -> Span:
    (span,) = [span for span in spans if span.name == name]
    return span


def check(span: Span, verdict: Verdict | None, cause: Cause | None) -> None:
    """Verdict and cause are attributes, and the status says the same."""
    found = attributes(span)
    assert found.get("e2e.verdict") == verdict
    assert found.get("e2e.cause") == cause
    assert span.status.code == CODES[verdict]


@pytest.mark.parametrize("case", CASES)
def test_a_run_is_a_tree_of_test_steps_and_attempts(collector: Receiver, tmp_path: Path, case: str) -> None:
    result = recorded(case, tmp_path)
    export(tmp_path, over(result), ended(Verdict.FAIL, Cause.PRODUCT))
    spans = collector.spans()
    assert {call.path for call in collector.calls} == {"/v1/traces"}
    assert {span.trace_id.hex() for span in spans} == {trace_id(RUN)}
    assert len({span.span_id for span in spans}) == len(spans)
    root = named(spans, "run")
    assert (root.parent_span_id, seconds(root)) == (b"", (100.0, 160.0))
    check(root, Verdict.FAIL, Cause.PRODUCT)
    (test,) = below(spans, root)
    assert test.name == f"test {result.name}"
    assert seconds(test) == pytest.approx((result.started, result.ended), abs=1e-5)
    check(test, result.verdict, result.cause)
    journal = records(read_journal(EVENTS / case / "journal.jsonl")).steps
    begun = [step for step in result.workflow_steps if step.started is not None]
    for span, step in zip(below(spans, test), begun, strict=True):
        assert span.name == f"step {step.step_type}"
        assert attributes(span)["e2e.step.id"] == step.id
        assert seconds(span) == pytest.approx((step.started, step.ended), abs=1e-5)
        check(span, step.verdict, step.cause)
        attempts = below(spans, span)
        assert [attributes(each)["e2e.attempt"] for each in attempts] == [
            attempt.number for attempt in journal[step.id].attempts
        ]
        for each, attempt in zip(attempts, journal[step.id].attempts, strict=True):
            assert attempt.ended is not None
            assert seconds(each) == pytest.approx((attempt.started, attempt.ended.at), abs=1e-5)


def test_the_error_of_a_step_is_that_of_its_status(collector: Receiver, tmp_path: Path) -> None:
    result = recorded("failing_check", tmp_path)
    export(tmp_path, over(result))
    assert result.error is not None
    assert named(collector.spans(), "test failing_check").status.message == result.error
    assert named(collector.spans(), "step init").status.message == ""


def test_each_attempt_has_the_verdict_of_its_own_checks(collector: Receiver, tmp_path: Path) -> None:
    result = recorded("failing_check", tmp_path)
    (step,) = [step for step in result.workflow_steps if step.attempts == 2]
    good = tuple(check.model_copy(update={"passed": True}) for check in step.validation_results)
    undecided = tuple(check.model_copy(update={"passed": None}) for check in step.validation_results)
    told = [
        Attempted(at=1.0, test=result.name, step=step.id, attempt=number, max_attempts=2, checks=checks)
        for number, checks in ((1, undecided), (2, good))
    ]
    export(tmp_path, *told, over(result))
    spans = collector.spans()
    first, second = below(spans, named(spans, "step validate"))
    check(first, Verdict.UNKNOWN, None)
    check(second, Verdict.PASS, None)
    assert attributes(first)["e2e.checks.failing"] == [
        each.check for each in undecided if not each.allow_failure
    ]


def test_an_attempt_of_which_nobody_told_has_no_verdict(collector: Receiver, tmp_path: Path) -> None:
    export(tmp_path, over(recorded("failing_check", tmp_path)))
    spans = collector.spans()
    for attempt in below(spans, named(spans, "step validate")):
        check(attempt, None, None)


# ---- phases and cycles


def phased(result: TestResult, phases: Mapping[str, str], **more: object) -> TestResult:
    steps = tuple(
        step.model_copy(update={"phase": phases.get(step.id, "")}) for step in result.workflow_steps
    )
    return result.model_copy(update={"workflow_steps": steps, **more})


def test_the_steps_of_a_phase_are_below_it(collector: Receiver, tmp_path: Path) -> None:
    result = recorded("failing_check", tmp_path)
    steps = result.workflow_steps
    phases = {steps[2].id: "activation", steps[3].id: "activation", steps[4].id: "finalization"}
    export(tmp_path, over(phased(result, phases)))
    spans = collector.spans()
    children = [span.name for span in below(spans, named(spans, "test failing_check"))]
    assert children == ["step init", "step deploy", "phase activation"], "the last phase was never begun"
    span = named(spans, "phase activation")
    assert [each.name for each in below(spans, span)] == ["step stop_node", "step validate"]
    check(span, steps[3].verdict, steps[3].cause)
    assert seconds(span) == pytest.approx((steps[2].started, steps[3].ended), abs=1e-5)


def test_a_cycle_has_its_number_and_its_contexts(collector: Receiver, tmp_path: Path) -> None:
    for number, case in ((1, "survives"), (2, "failing_command")):
        result = recorded(case, tmp_path, f"cycles/{number:04}")
        export(tmp_path, cycle_start(number), over(result))
    cycles = [span for span in collector.spans() if span.name == "cycle"]
    assert [attributes(span)["e2e.cycle"] for span in cycles] == [1, 2]
    assert attributes(cycles[0])["e2e.context.primary"] == "site_a"
    assert attributes(cycles[0])["e2e.context.secondary"] == "site_b"
    assert cycles[0].span_id != cycles[1].span_id


def test_a_run_that_goes_on_is_the_same_trace(collector: Receiver, tmp_path: Path) -> None:
    """It died before its end: the root that the first test hangs on is sent by whoever resumes it."""
    export(tmp_path, over(recorded("survives", tmp_path)))
    export(tmp_path, over(recorded("failing_command", tmp_path)), ended())
    spans = collector.spans()
    root = named(spans, "run")
    assert {span.name for span in below(spans, root)} == {"test survives", "test failing_command"}


def test_every_attribute_is_documented(collector: Receiver, tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs/notifications.md").read_text()
    told = set(re.findall(r"`(e2e\.[\w.]+)`", text))
    result = recorded("failing_check", tmp_path, "cycles/0001")
    (step,) = [step for step in result.workflow_steps if step.attempts == 2]
    steps = tuple(
        step.model_copy(update={"phase": "activation", "description": "words", "engine": "warm"})
        for step in result.workflow_steps
    )
    checks = Attempted(
        at=1.0,
        test=result.name,
        step=step.id,
        attempt=1,
        max_attempts=2,
        checks=step.validation_results,
    )
    cycle = result.model_copy(update={"workflow_steps": steps})
    export(tmp_path, cycle_start(), checks, over(cycle), ended(Verdict.FAIL, Cause.PRODUCT))
    assert {name for span in collector.spans() for name in attributes(span)} == told


# ---- what is unfinished


def test_a_run_that_broke_is_an_error(collector: Receiver, tmp_path: Path) -> None:
    export(tmp_path, Broken(130.0, "disk full"))
    (root,) = collector.spans()
    check(root, Verdict.UNKNOWN, None)
    assert (root.status.message, seconds(root)[1]) == ("disk full", 130.0)


def test_a_step_that_was_cut_off_ends_with_its_test(collector: Receiver, tmp_path: Path) -> None:
    result = recorded("failing_command", tmp_path)
    (step,) = result.workflow_steps
    cut: StepResult = step.model_copy(
        update={"ended": None, "verdict": None, "cause": None, "status": StepStatus.INTERRUPTED}
    )
    export(tmp_path, over(result.model_copy(update={"workflow_steps": (cut,)})))
    span = named(collector.spans(), "step custom_command")
    check(span, None, None)
    assert seconds(span)[1] == pytest.approx(result.ended)
    assert attributes(span)["e2e.step.status"] == "interrupted"


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("{}\n")])
def test_a_journal_that_cannot_be_read_costs_the_attempts_and_is_told(
    collector: Receiver, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    result = recorded("failing_command", tmp_path)
    spoil(tmp_path / result.folder / "journal.jsonl")
    with Notifier(spans=Spans(*exporter({}, Secrets()))) as notifier:
        notifier(started(tmp_path))
        notifier(over(result))
        notifier(ended())
    assert {span.name for span in collector.spans()} == {"run", "test failing_command", "step custom_command"}
    (line,) = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
    assert "the attempts of failing_command are left out" in line["error"]


def test_a_cycle_that_is_packed_at_once_has_its_attempts(collector: Receiver, tmp_path: Path) -> None:
    """The files of a cycle that passed are gone when its spans are made."""
    result = recorded("failing_command", tmp_path, "cycles/0001")
    spans = Spans(*exporter({}, Secrets()))
    told = [spans.pick(thing) for thing in (started(tmp_path), over(result))]
    shutil.rmtree(tmp_path / "cycles")
    for each in told:
        assert each is not None
        spans.deliver(each, 5)
    assert named(collector.spans(), "attempt")


# ---- the collector


def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """Export a run as the variables say; what was written down of it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    notifier = open_notifier(NotifyOptions(otel=True))
    assert notifier is not None
    with notifier:
        notifier(started(tmp_path))
        notifier(ended())
    written = tmp_path / FILE
    return written.read_text() if written.exists() else ""


def test_the_standard_variables_are_obeyed(
    collector: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = exported(
        tmp_path,
        monkeypatch,
        OTEL_EXPORTER_OTLP_HEADERS=f"x-token={CANARY}",
        OTEL_SERVICE_NAME="nightly",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=lab",
    )
    assert said == ""
    (call,) = collector.calls
    assert call.headers["x-token"] == CANARY
    assert b"nightly" in call.body
    assert b"deployment.environment.name" in call.body
    assert b"e2e_ansible" in call.body


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_SAMPLER", "always_off")]
)
def test_who_wants_no_spans_gets_none(
    collector: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert exported(tmp_path, monkeypatch, **{name: value}) == ""
    assert collector.calls == []


def test_a_collector_that_refuses_is_told_and_not_logged(
    collector: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    collector.statuses, collector.answer = [401], f"{CANARY} is no token".encode()
    caplog.set_level(logging.WARNING)
    said = exported(tmp_path, monkeypatch, OTEL_EXPORTER_OTLP_HEADERS=f"x-token={CANARY}")
    (line,) = said.splitlines()
    assert (json.loads(line)["target"], json.loads(line)["delivered"]) == (
        f"otlp 127.0.0.1:{collector.port}",
        False,
    )
    assert "401" in json.loads(line)["error"]
    assert CANARY not in said
    assert caplog.records == []


def test_a_collector_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    said = exported(
        tmp_path, monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="1"
    )
    (line,) = said.splitlines()
    assert "Failed to export" in json.loads(line)["error"]
