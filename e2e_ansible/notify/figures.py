"""The figures of a run for Prometheus. Names and labels are those of docs/notifications.md; times are in seconds."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from e2e_ansible.judge.result import RunResult, StepResult, TestResult
from e2e_ansible.notify.news import Broken, Thing, is_cycle
from e2e_ansible.report.notice import RunEnded, RunStarted, StepEnded, TestEnded
from e2e_ansible.soak.records import (
    AlertRecord,
    CycleEnd,
    CycleStart,
    FailureInjection,
    PhaseResult,
)
from e2e_ansible.verdict import Verdict

__all__ = ["Figures"]

_PREFIX = "e2e_ansible"


class Figures:
    """Takes what happens, and holds it as metrics in `registry`. Every series has the label `suite`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.suite = ""
        self._active: set[str] = set()
        self._injection = ("", "")
        self._begun = self._gauge("run_start_time_seconds", "When the run began, in epoch seconds")
        self._running = self._gauge("run_running", "1 while the run goes on, 0 after it")
        self._info = self._gauge("run_info", "1, with the id of the run", "run_id")
        self._run_verdict = self._gauge("run_verdict", "1 for the verdict of the run", "verdict")
        self._exit = self._gauge("run_exit_code", "Exit code that the verdict has")
        self._duration = self._gauge("run_duration_seconds", "How long the run took")
        self._tests = self._gauge("tests", "Tests of the run by verdict", "verdict")
        self._test_verdict = self._gauge("test_verdict", "1 for the verdict of a test", "test", "verdict")
        self._test_seconds = self._gauge("test_duration_seconds", "How long a test took", "test")
        self._steps = self._counter("steps", "Steps that have ended", "step_type", "verdict")
        self._step_seconds = self._counter("steps_seconds", "Time that steps took", "step_type")
        self._cycles = self._counter("cycles", "Cycles that have ended", "verdict")
        self._cycles_failed = self._counter("cycles_failed", "Cycles that ended, and did not pass")
        self._cycle = self._gauge("cycle_number", "The cycle that began last")
        self._cycle_seconds = self._gauge("cycle_last_duration_seconds", "How long the last cycle took")
        self._phase_seconds = self._gauge(
            "phase_last_duration_seconds", "How long the phase took when it last ended", "phase"
        )
        self._outage = self._gauge(
            "client_last_write_outage_seconds", "Longest outage of writes in the last cycle", "client"
        )
        self._lost = self._counter("client_lost_rows", "Acknowledged rows that were not found", "client")
        self._alerts = self._gauge("alerts_active", "Alerts that go on", "alert_type", "context")
        self._alerts_begun = self._counter("alerts", "Alerts that have begun", "alert_type", "context")
        self._injections = self._counter("failure_injections", "Injected failures", "scenario", "result")

    def take(self, thing: Thing) -> bool:
        """Whether it has changed anything."""
        match thing:
            case RunStarted():
                self._run_started(thing)
            case StepEnded():
                self._step_ended(thing.result)
            case TestEnded():
                return self._test_ended(thing.result)
            case RunEnded():
                self._run_ended(thing.result)
            case Broken():
                self._verdict_of_run(Verdict.UNKNOWN)
                self._running.labels(self.suite).set(0)
            case _:
                return self._of_soak(thing)
        return True

    def _of_soak(self, thing: Thing) -> bool:
        match thing:
            case CycleStart():
                self._cycle.labels(self.suite).set(thing.cycle_num)
            case PhaseResult():
                self._phase_seconds.labels(self.suite, thing.phase_name).set(thing.duration_seconds)
            case CycleEnd():
                self._cycle_ended(thing)
            case AlertRecord():
                self._alert(thing)
            case FailureInjection():
                self._injected(thing)
            case _:
                return False
        return True

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", text, ("suite", *labels), registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", text, ("suite", *labels), registry=self.registry)

    def _run_started(self, notice: RunStarted) -> None:
        self.suite = notice.suite
        self._begun.labels(self.suite).set(notice.at)
        self._running.labels(self.suite).set(1)
        self._info.labels(self.suite, notice.run_id).set(1)

    def _step_ended(self, step: StepResult) -> None:
        verdict = step.verdict.value if step.verdict else "none"
        self._steps.labels(self.suite, step.step_type, verdict).inc()
        self._step_seconds.labels(self.suite, step.step_type).inc(step.duration)

    def _test_ended(self, test: TestResult) -> bool:
        """A cycle is counted, not named: ten thousand of them would be as many series."""
        if is_cycle(test):
            return False
        for verdict in Verdict:
            self._test_verdict.labels(self.suite, test.name, verdict.value).set(test.verdict is verdict)
        self._test_seconds.labels(self.suite, test.name).set(test.duration)
        return True

    def _verdict_of_run(self, found: Verdict) -> None:
        for verdict in Verdict:
            self._run_verdict.labels(self.suite, verdict.value).set(found is verdict)

    def _run_ended(self, result: RunResult) -> None:
        self._running.labels(self.suite).set(0)
        self._verdict_of_run(result.verdict)
        self._exit.labels(self.suite).set(result.exit_code)
        self._duration.labels(self.suite).set(result.duration)
        numbers = {"pass": result.passed, "fail": result.failed, "unknown": result.unknown}
        for verdict, number in numbers.items():
            self._tests.labels(self.suite, verdict).set(number)

    def _cycle_ended(self, record: CycleEnd) -> None:
        self._cycles.labels(self.suite, record.verdict.value if record.verdict else "none").inc()
        self._cycles_failed.labels(self.suite).inc(record.verdict not in (Verdict.PASS, None))
        self._cycle_seconds.labels(self.suite).set(record.duration_seconds)
        for name, client in record.clients.items():
            self._outage.labels(self.suite, name).set(max(client.writes, default=0))
            self._lost.labels(self.suite, name).inc(client.lost or 0)

    def _alert(self, record: AlertRecord) -> None:
        """One that was open when the run died may end without having begun here; it was not counted."""
        alert = record.alert
        labels = (self.suite, alert.alert_type, alert.context)
        if alert.ended is None and alert.alert_id not in self._active:
            self._active.add(alert.alert_id)
            self._alerts.labels(*labels).inc()
            self._alerts_begun.labels(*labels).inc()
        elif alert.ended is not None and alert.alert_id in self._active:
            self._active.discard(alert.alert_id)
            self._alerts.labels(*labels).dec()

    def _injected(self, record: FailureInjection) -> None:
        """There is one in a cycle at most, told when it is injected and again when it is undone."""
        injection = (record.cycle_id, record.scenario)
        if injection != self._injection:
            self._injection = injection
            result = {True: "took", False: "refused", None: "unknown"}[record.success]
            self._injections.labels(self.suite, record.scenario, result).inc()
