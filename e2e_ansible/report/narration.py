"""The narration of a run: each notice as lines of plain text, for pipes, CI and the test log."""

from __future__ import annotations

from e2e_ansible.judge.result import StepResult, TestResult
from e2e_ansible.report.client import told_words
from e2e_ansible.report.finding import allowed, check_words, failing, findings
from e2e_ansible.report.load import load_words
from e2e_ansible.report.notice import (
    Alerted,
    Attempted,
    CycleStarted,
    Message,
    Notice,
    Output,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    TaskStarted,
    TestEnded,
    TestStarted,
)
from e2e_ansible.report.words import (
    Mark,
    alert_words,
    called,
    cause_words,
    clean,
    count,
    duration,
    join_path,
    kept_words,
    mark_of,
    purpose,
    resumption_words,
    verdict_words,
)
from e2e_ansible.soak.records import Alert
from e2e_ansible.verdict import Verdict

__all__ = ["Narration", "subject"]


def subject(notice: Notice) -> str:
    """The name of the test a notice is about; empty for one about the run."""
    if isinstance(notice, TestEnded):
        return notice.result.name
    return "" if isinstance(notice, RunStarted | RunEnded | Alerted | CycleStarted) else notice.test


class Narration:
    """Tells notices in words. With `tasks`, also Ansible's tasks and output, and every check looked at."""

    def __init__(self, *, tasks: bool) -> None:
        self._tasks = tasks
        self._titles: dict[tuple[str, str], str] = {}

    def lines(self, notice: Notice) -> list[str]:
        """The lines for one notice, without time stamps; none when it is not worth one."""
        return [line.rstrip() for text in self._texts(notice) for line in clean(text).split("\n")]

    def _texts(self, notice: Notice) -> list[str]:
        match notice:
            case RunStarted() | RunEnded():
                return _run(notice)
            case CycleStarted() | Alerted():
                return [notice.words if isinstance(notice, CycleStarted) else _alert(notice.alert)]
            case TestStarted():
                return self._test_started(notice)
            case Message():
                return [notice.text if notice.level == "info" else f"{notice.level.upper()}: {notice.text}"]
            case TestEnded():
                return _test_ended(notice.result)
            case _:
                return self._of_step(notice)

    def _of_step(self, notice: StepStarted | TaskStarted | Output | Attempted | StepEnded) -> list[str]:
        match notice:
            case StepStarted():
                limit = duration(notice.deadline_seconds)
                return [f"{self._title(notice.test, notice.step)} (at most {limit})"]
            case Attempted():
                return self._attempted(notice)
            case StepEnded():
                return self._step_ended(notice.test, notice.result)
            case TaskStarted():
                return [f"  task {notice.task}"] if self._tasks else []
            case Output():
                return [f"  | {line}" for line in clean(notice.text).splitlines()] if self._tasks else []

    def _title(self, test: str, step: str) -> str:
        return self._titles.get((test, step), f"step {step}")

    def _test_started(self, notice: TestStarted) -> list[str]:
        number = len(notice.steps)
        for index, step in enumerate(notice.steps, start=1):
            words = purpose(step.description, step.hosts)
            name = f": {words}" if words else ""
            self._titles[notice.test, step.id] = f"step {index}/{number} {called(step.type, step.id)}{name}"
        return [f"test {notice.test} begins: {count(number, 'step')}, deployment {notice.deployment_id}"]

    def _attempted(self, notice: Attempted) -> list[str]:
        bad = failing(notice.checks)
        names = ", ".join(check.check for check in bad)
        all_checks = count(len(notice.checks), "check")
        state = f"{len(bad)} of {all_checks} not passed ({names})" if bad else "all well"
        again = f", again in {duration(notice.next_in)}" if notice.next_in is not None else ""
        lines = [f"  attempt {notice.attempt} of {notice.max_attempts}: {state}{again}"]
        return lines + [f"    {check_words(check)}" for check in notice.checks if self._tasks]

    def _step_ended(self, test: str, step: StepResult) -> list[str]:
        mark = mark_of(step)
        cause = f", {cause_words(step.cause)}" if step.cause and mark is not Mark.PASS else ""
        took = f" after {duration(step.duration)}" if step.started is not None else ""
        name = self._title(test, step.id).partition(":")[0]
        lines = [f"{name}: {mark.value.upper()}{took}{cause}"]
        lines += _labelled("reason", step.omitted) if step.omitted else []
        lines += _labelled("load", load_words(step.load)) if step.load is not None else []
        for finding in findings(step):
            lines += _labelled(finding.label, finding.text)
        for check in allowed(step.validation_results):
            lines += _labelled("allowed", check_words(check))
        return lines


def _alert(alert: Alert) -> str:
    over = (
        f"is over, it began at {alert.started}" if alert.ended else f"since {alert.started}: {alert.message}"
    )
    return f"ALERT {alert_words(alert)} {over}"


def _run(notice: RunStarted | RunEnded) -> list[str]:
    if isinstance(notice, RunStarted):
        tests = count(len(notice.tests), "test")
        return [f"run {notice.run_id} of {notice.suite}: {tests}, folder {notice.folder}"]
    result = notice.result
    numbers = f"{result.passed} passed, {result.failed} failed, {result.unknown} unknown"
    return [
        f"run {result.run_id} is over after {duration(result.duration)}: "
        f"{verdict_words(result.verdict, result.cause)} ({numbers})"
    ]


def _test_ended(test: TestResult) -> list[str]:
    lines = [f"test {test.name}: {verdict_words(test.verdict, test.cause)} after {duration(test.duration)}"]
    if test.error and test.verdict is not Verdict.PASS:
        lines += _labelled("error", test.error)
    faults = {fault.id: fault for fault in test.faults}
    for client in test.clients:
        for words in told_words(client, faults) if client.operations else ():
            lines += _labelled("client", f"{client.name}: {words}")
    if test.resumptions:
        lines += _labelled("resumed", resumption_words(test.resumptions))
    named = {"logs": "evidence"}
    evidence = (
        (named.get(what, what), join_path(test.folder, path))
        for what, folders in kept_words(test)
        for path in folders
    )
    for label, text in (("clean-up", test.clean_up), *evidence):
        lines += _labelled(label, text) if text else []
    return lines


def _labelled(label: str, text: str) -> list[str]:
    first, *rest = text.split("\n")
    return [f"    {label:<8} {first}", *(f"    {'':<8} {line}" for line in rest)]
