"""What is worth a message: how a run or a cycle ended, an alert, a failure that was injected. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from e2e_ansible.judge.result import RunResult, TestResult
from e2e_ansible.notify.when import NotifyOn
from e2e_ansible.report.notice import Notice, RunEnded, RunStarted
from e2e_ansible.report.words import clean, duration, shorten, stamp, verdict_words
from e2e_ansible.soak.records import Alert, AlertRecord, CycleEnd, FailureInjection, Record
from e2e_ansible.verdict import Cause, Verdict

__all__ = ["Broken", "Kind", "News", "Reporter", "Thing", "is_cycle", "wanted"]

Kind = Literal["run_ended", "run_broken", "cycle_ended", "alert_began", "alert_ended", "failure_injected"]
_ALARMS: tuple[Kind, ...] = ("alert_began", "alert_ended", "run_broken")
#: Figures of machines and output of commands: large, and seldom for other eyes.
_LEFT_OUT = {"tests": {"__all__": {"workflow_steps": {"__all__": {"observation", "registered", "slowest"}}}}}
_CYCLES = "cycles/"
_ERROR_LINES, _ERROR_CHARACTERS = 4, 500


@dataclass(frozen=True)
class Broken:
    """The run came to no result: an error ended it."""

    at: float
    error: str


Thing = Notice | Record | Broken


@dataclass(frozen=True)
class News:
    """One message. `title` is one line, `text` a few; `body` is what a program gets, as JSON has it."""

    kind: Kind
    at: float
    run_id: str
    suite: str
    title: str
    text: str
    bad: bool
    body: Mapping[str, object] = field(repr=False)

    def payload(self) -> dict[str, object]:
        """What a webhook gets."""
        return {
            "kind": self.kind,
            "at": stamp(self.at),
            "run_id": self.run_id,
            "suite": self.suite,
            "title": self.title,
            **self.body,
        }


def is_cycle(test: TestResult) -> bool:
    """Whether this is one of very many: a cycle, not a test of its own."""
    return test.folder.startswith(_CYCLES)


def wanted(news: News, on: NotifyOn) -> bool:
    """Whether a target wants to know. A run that broke and alerts are always told."""
    if news.kind in _ALARMS or on is NotifyOn.ALWAYS:
        return True
    return on is NotifyOn.FAILURE and news.bad


class Reporter:
    """Makes news of what happens; it remembers which run that is."""

    def __init__(self) -> None:
        self._run_id = self._suite = self._folder = ""

    def news(self, thing: Thing, at: float) -> News | None:
        """The message about it, None when it is not worth one. `at` is now, in epoch seconds."""
        if isinstance(thing, RunStarted):
            self._run_id, self._suite, self._folder = thing.run_id, thing.suite, thing.folder
        made: News | None = None
        match thing:
            case RunEnded():
                made = self._run_ended(thing.result, at)
            case Broken():
                made = self._broken(thing.error, at)
            case CycleEnd():
                made = self._cycle_ended(thing, at)
            case AlertRecord():
                made = self._alert(thing, at)
            case FailureInjection():
                made = self._injection(thing, at)
            case _:
                pass
        return made

    def _news(
        self, kind: Kind, at: float, title: str, text: str, body: Mapping[str, object], *, bad: bool = True
    ) -> News:
        line = " ".join(clean(title).split())
        return News(kind, at, self._run_id, self._suite, line, clean(text), bad, body)

    def _run_ended(self, result: RunResult, at: float) -> News:
        words = verdict_words(result.verdict, result.cause)
        title = f"{result.suite}: {words} after {duration(result.duration)}"
        numbers = f"{result.passed} passed, {result.failed} failed, {result.unknown} unknown"
        bad_tests = [test for test in result.tests if test.verdict is not Verdict.PASS]
        lines = [f"run {result.run_id}: {numbers}", *map(_of_test, bad_tests)]
        lines += [f"not run: {', '.join(result.not_run)}"] if result.not_run else []
        lines += [f"{', '.join(names)}: {reason}" for reason, names in result.reasons.items()]
        lines.append(f"folder {self._folder}")
        body = {
            "verdict": result.verdict.value,
            "cause": result.cause.value if result.cause else None,
            "folder": self._folder,
            "result": json.loads(result.model_dump_json(exclude=_LEFT_OUT)),
        }
        bad = result.verdict is not Verdict.PASS
        return self._news("run_ended", at, title, "\n".join(lines), body, bad=bad)

    def _broken(self, error: str, at: float) -> News:
        title = f"{self._suite}: the run came to no result"
        body = {"verdict": Verdict.UNKNOWN.value, "error": error, "folder": self._folder}
        return self._news("run_broken", at, title, error, body)

    def _cycle_ended(self, record: CycleEnd, at: float) -> News:
        words = _words(record.verdict, record.cause)
        title = f"{self._suite}: cycle {record.cycle_num} {words} after {duration(record.duration_seconds)}"
        lost = sum(client.lost or 0 for client in record.clients.values())
        lines = [record.error] if record.error else []
        lines += [f"{lost} acknowledged rows lost"] if lost else []
        bad = record.verdict not in (Verdict.PASS, None)  # of a rehearsal there is none
        return self._news("cycle_ended", at, title, "\n".join(lines), _body(record), bad=bad)

    def _alert(self, record: AlertRecord, at: float) -> News:
        alert = record.alert
        over = alert.ended is not None
        state = f"is over: {alert.alert_type}" if over else alert.alert_type
        title = f"{self._suite}: alert {state} of {_where(alert)}"
        when = f"from {alert.started}" + (f" to {alert.ended}" if over else "")
        lines = [alert.message, f"cycle {record.cycle_num}, phase {alert.phase or 'none'}, {when}"]
        if alert.value is not None and alert.threshold is not None:
            lines.append(f"value {alert.value:g}, threshold {alert.threshold:g}")
        kind: Kind = "alert_ended" if over else "alert_began"
        return self._news(kind, at, title, "\n".join(lines), _body(record), bad=not over)

    def _injection(self, record: FailureInjection, at: float) -> News:
        state = {True: "was injected", False: "could not be injected", None: "may have been injected"}
        undone = {True: " and undone", False: " and is NOT undone", None: ""}[record.undone]
        where = f" at phase {record.phase}" if record.phase else ""
        title = f"{self._suite}: {record.scenario} {state[record.success]}{where}{undone}"
        bad = record.success is not True or record.undone is False
        return self._news("failure_injected", at, title, record.message, _body(record), bad=bad)


def _words(verdict: Verdict | None, cause: Cause | None) -> str:
    return verdict_words(verdict, cause) if verdict else "without a verdict"


def _where(alert: Alert) -> str:
    return f"{alert.resource} in {alert.context}" if alert.context else alert.resource


def _body(record: AlertRecord | CycleEnd | FailureInjection) -> dict[str, object]:
    return {"record": json.loads(record.model_dump_json())}


def _of_test(test: TestResult) -> str:
    words = verdict_words(test.verdict, test.cause)
    error = shorten(clean(test.error or ""), lines=_ERROR_LINES, characters=_ERROR_CHARACTERS)
    return f"{test.name}: {words}" + (f": {error}" if error else "")
