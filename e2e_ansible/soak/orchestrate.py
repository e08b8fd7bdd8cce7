"""The loop of a soak: set-up, cycle after cycle, the end; everything is on the disk before the next thing begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from e2e_ansible.compile.plan import Plan
from e2e_ansible.judge.result import TestResult
from e2e_ansible.judge.soak import KEPT_CYCLES
from e2e_ansible.report import notice
from e2e_ansible.run.clean_up import clean_up, keeps
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import write_private
from e2e_ansible.soak import accounts
from e2e_ansible.soak.course import Course
from e2e_ansible.soak.folder import SoakFolder
from e2e_ansible.soak.metrics import MetricsLog, read
from e2e_ansible.soak.options import PlannedInjection, SoakOptions
from e2e_ansible.soak.pack import pack
from e2e_ansible.soak.part_run import Abandoned, PartRunner
from e2e_ansible.soak.parts import CYCLE, END, SET_UP
from e2e_ansible.soak.phases import PhaseOutcome, Phases
from e2e_ansible.soak.records import AlertRecord, CycleEnd, CycleStart, FailureInjection, PhaseResult, Record
from e2e_ansible.soak.rules import State, Stop, UnderWay, after, cooldown, why_not_begin, why_stop
from e2e_ansible.soak.tables import add_results, cycle_metrics, cycle_state, drop_results
from e2e_ansible.soak.tracking import Tracker, replayed
from e2e_ansible.soak.watch import Watch
from e2e_ansible.verdict import Verdict, worst

__all__ = ["Soak"]


@dataclass
class _Seen:
    """What of a cycle was written down before the run died."""

    start: bool = False
    phases: set[str] = field(default_factory=set)
    injection: bool = False
    end: bool = False


@dataclass
class Soak:
    """One soak while it runs. `listeners` get each record after it is on the disk.

    Afterwards `parts` are the results of set-up and end, `spoiled` those of the first cycles that did not pass.
    """

    folder: SoakFolder
    course: Course
    options: SoakOptions
    context: RunContext
    state: State
    deployment: str
    metrics: MetricsLog
    listeners: Sequence[Callable[[Record], None]] = ()
    watch: Watch | None = None
    parts: list[TestResult] = field(default_factory=list)
    spoiled: list[TestResult] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._runner = PartRunner(self.folder, self.course, self.context, self.deployment)

    def run(self) -> None:
        """All that is left to do.

        Raises:
            Abandoned: a second interrupt has ended it.
            OSError: a file cannot be written.
            E2EError: a file cannot be read.
        """
        try:
            begun = self._set_up()  # of one that is over its result is still wanted
            stop = self.state.stopped or begun or self._cycles()
        finally:
            self._watch_no_more()
        self._save(stopped=stop)
        self._say(f"no other cycle: {_WHY[stop]}")
        self._finish(stop)

    def record(self, record: Record) -> None:
        """Write a record down, then tell it.

        Raises:
            OSError: it could not be written.
        """
        self.metrics.append(record)
        if isinstance(record, AlertRecord):
            self.context.tell(notice.Alerted(at=self.context.now(), alert=record.alert))
        for listener in self.listeners:
            listener(record)

    # ---- before and after the cycles

    def _set_up(self) -> Stop | None:
        plan = self.course.plan(SET_UP, self.course.contexts)
        if plan is None:
            return None
        result = self._part(SET_UP, 0, plan)
        self.parts.append(result)
        if not self.state.setup:
            rows = {} if self.state.dry_run else accounts.rows_of(result)
            self._save(setup=True, under_way=None, rows=rows)
        if self.context.cancel.is_set:
            return Stop.INTERRUPTED
        return None if self._fits(result) else Stop.SET_UP

    def _fits(self, result: TestResult) -> bool:
        return self.state.dry_run or result.verdict is Verdict.PASS

    def _finish(self, stop: Stop) -> None:
        plan = self.course.plan(END, self.state.contexts)
        if plan is not None and stop not in (Stop.INTERRUPTED, Stop.SET_UP):
            self.parts.append(self._part(END, self.state.last_completed_cycle + 1, plan))
            self._save(end=True, under_way=None)
        if self.course.shared and not self.state.dry_run:
            self._clean_up()
        self._save(over=True)

    def _clean_up(self) -> None:
        """Remove the nodes that all cycles had, by the policy and all that has happened."""
        if self.context.abandon.is_set:
            raise Abandoned
        plan = next(iter(self.course.plans().values()))
        verdicts = [part.verdict for part in self.parts] + [each for each, _ in self.state.tally.decided()]
        keep = keeps(self.context.options.keep or plan.keep, worst(verdicts))
        self._say("keeping the nodes" if keep else "removing the nodes")
        provider = self.context.provider(plan.provider)
        done = clean_up(provider, self.deployment, keep=keep, at=self.context.now())
        self._save(clean_up=done.message, clean_up_ok=done.ok, kept=done.kept)

    # ---- cycles

    def _cycles(self) -> Stop:
        self._watch_now()
        if self.state.under_way is None and self.state.last_completed_cycle:
            stop = self._stop()  # the run died after a cycle, before this was asked
            if stop is not None:
                return stop
        while True:
            if not self._cool():
                return Stop.INTERRUPTED
            under_way = self.state.under_way is not None
            stop = None if under_way else why_not_begin(self.options, self.state, self.context.now())
            if stop is None:
                self._cycle(self.state.last_completed_cycle + 1)
                stop = self._stop()
            if stop is not None:
                return stop

    def _stop(self) -> Stop | None:
        return why_stop(self.options, self.state, interrupted=self.context.cancel.is_set)

    def _cool(self) -> bool:
        """Wait between two cycles; False when that was interrupted."""
        seconds = 0.0 if self.state.under_way else cooldown(self.options, self.state, self.context.now())
        return not self.context.cancel.wait(seconds)

    def _cycle(self, number: int) -> None:
        plan, injection = self.course.cycle(number, self.state.contexts)
        seen = self._seen(number) if self.state.under_way else _Seen()
        self._save(under_way=UnderWay(part="cycle", cycle=number))
        if not seen.start:
            self.record(accounts.begun(self.state, number, self.context.now()))
        with self._tracked(number, plan, seen):
            result = self._part(CYCLE, number, plan)
        self._count(number, plan, injection, result, seen)

    @contextmanager
    def _tracked(self, number: int, plan: Plan, seen: _Seen) -> Iterator[None]:
        phases = Phases(plan, rehearsed=self.state.dry_run)
        self._write_progress(number, phases, "")
        contexts = self.state.contexts or ()
        if self.watch is not None:
            self.watch.cycle(number, contexts, self._runner.deployment_of(number))
        self.context.tell(
            notice.CycleStarted(
                at=self.context.now(), cycle=number, of=self.options.cycles, contexts=tuple(contexts)
            )
        )

        def enters(phase: str) -> None:
            if self.watch is not None:
                self.watch.phase(number, phase)
            self._write_progress(number, phases, phase)

        def over(phase: PhaseOutcome) -> None:
            if phase.name not in seen.phases:
                self.record(accounts.phase_ended(self.state, number, phase))
                seen.phases.add(phase.name)

        tracker = Tracker(plan.name, phases, enters, over)
        self.context.tell.add(tracker)
        try:
            yield
        finally:
            self.context.tell.remove(tracker)
        if tracker.error is not None:
            raise tracker.error

    def _count(
        self,
        number: int,
        plan: Plan,
        injection: PlannedInjection | None,
        result: TestResult,
        seen: _Seen,
    ) -> None:
        """Write down what a cycle came to, so that a kill at any moment loses and doubles nothing."""
        state, dry = self.state, self.state.dry_run
        phases = Phases(plan, rehearsed=dry)
        outcomes = replayed(phases, result)
        for phase in outcomes:
            if phase.name not in seen.phases:
                self.record(accounts.phase_ended(state, number, phase))
        at = result.ended or self.context.now()
        if injection is not None and not seen.injection:
            self.record(accounts.injected(state, number, result, injection, at))
        outcome = accounts.account(state, phases.names, result, injection)
        end = accounts.ended(state, number, result, outcome, at)
        began = result.started or at
        text = cycle_metrics(end, outcomes, began, dry_run=dry)
        write_private(self.folder.cycle_metrics(number), text)
        self._write_progress(number, phases, "", ended=True)
        drop_results(self.folder.results, number, fresh=not seen.start)
        add_results(self.folder.results, end, outcomes, number, began)
        if not seen.end:
            self.record(end)
        if result.verdict is Verdict.PASS or dry:
            pack(self.folder.part(CYCLE, number))
        elif len(self.spoiled) < KEPT_CYCLES:
            self.spoiled.append(result)
        self.state = after(state, outcome, self.context.now())
        self._runner.forget(number, result)
        self.folder.write_state(self.state)
        self._say(accounts.told(self.options, self.state, number, end))

    # ---- one part

    def _part(self, part: str, number: int, plan: Plan) -> TestResult:
        done = {SET_UP: self.state.setup, CYCLE: True, END: self.state.end}[part]
        if not done:
            self._save(under_way=UnderWay(part="setup" if part == SET_UP else "end", cycle=number))
        return self._runner.run(part, number, plan, self.state)

    # ---- small things

    def _seen(self, number: int) -> _Seen:
        """What the records have of the cycle under way."""
        seen = _Seen()
        for record in read(self.folder.metrics):
            if record.cycle_num != number:
                continue
            match record:
                case CycleStart():
                    seen.start = True
                case PhaseResult():
                    seen.phases.add(record.phase_name)
                case FailureInjection():
                    seen.injection = True
                case CycleEnd():
                    seen.end = True
                case _:
                    pass
        return seen

    def _watch_now(self) -> None:
        if self.watch is not None and not self.state.dry_run:
            plan = self.course.plan(CYCLE, self.state.contexts)
            assert plan is not None
            deployment = self._runner.deployment_of(self.state.last_completed_cycle + 1)
            self.watch.begin(
                self.folder, plan, deployment, self.context, self.record, options=self.options.monitor
            )

    def _watch_no_more(self) -> None:
        if self.watch is not None:
            self.watch.end()

    def _write_progress(self, number: int, phases: Phases, current: str, *, ended: bool = False) -> None:
        text = cycle_state(number, self.state, phases.names, phases.outcomes, current=current, ended=ended)
        write_private(self.folder.cycle_state(number), text)

    def _save(self, **changes: object) -> None:
        self.state = self.state.model_copy(update=changes)
        self.folder.write_state(self.state)

    def _say(self, text: str) -> None:
        self.context.tell(notice.Message(at=self.context.now(), text=text))


_WHY = {
    Stop.CYCLES: "all of them were done",
    Stop.TIME: "the time is over",
    Stop.STOP_ON_FAILURE: "one did not pass",
    Stop.MAX_FAILURES: "too many did not pass",
    Stop.INFRASTRUCTURE: "infrastructure or harness spoiled several in a row",
    Stop.INTERRUPTED: "interrupted",
    Stop.SET_UP: "the set-up did not pass",
}
