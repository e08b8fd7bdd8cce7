"""The attempts at one step: each plays its playbook once, and what came of it is judged at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e_ansible.compile.compiler import INVENTORY
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome, PlayRequest
from e2e_ansible.faults.ledger import VARIABLE, read
from e2e_ansible.judge.attempt import Judged, judge_attempt
from e2e_ansible.judge.entry import AttemptEnded, AttemptStarted, CustomOutcome
from e2e_ansible.judge.fold import Facts, fold
from e2e_ansible.judge.record import AttemptRecord, StepRecord
from e2e_ansible.judge.timeline import last_fault
from e2e_ansible.load.running import ARTIFACTS
from e2e_ansible.nodes.resumed import RESUMED
from e2e_ansible.oracle.ranges import Ranges
from e2e_ansible.report import notice
from e2e_ansible.run.clients import Clients
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import TestFolder, make_private
from e2e_ansible.run.foreign import foreign_checks, foreign_load
from e2e_ansible.run.lane import Lane
from e2e_ansible.run.limit import in_time
from e2e_ansible.run.logbook import Logbook

__all__ = ["Attempts"]


@dataclass
class Attempts:
    """Those of one step. `cancel` ends the one that is under way.

    `still` is held by the one step that keeps the writer still for a look. `resumed`: the run died, and the step is
    taken up. `seen` are the events by step and number of the attempt.
    """

    context: RunContext
    plan: Plan
    step: PlannedStep
    folder: TestFolder
    deployment: str
    lane: Lane
    cancel: Cancel
    log: Logbook
    writer: Clients
    still: threading.Lock
    resumed: bool = False
    seen: dict[tuple[str, int], list[Event]] = field(default_factory=dict)

    def one(self, record: StepRecord, number: int, deadline: Deadline) -> Judged:
        """Make the attempt of this number.

        Raises:
            OSError: the journal could not be written.
            E2EError: a client has died, or does not answer.
        """
        attempt = AttemptRecord(number=number, started=self.context.now())
        self.log.write(AttemptStarted(at=attempt.started, step=self.step.id, attempt=number))
        record.attempts.append(attempt)
        with self._rows() as rows:
            outcome = in_time(self._play(number, deadline), self.cancel)
        ended = self._ended(attempt, outcome, rows)
        self.log.events.sync()
        attempt.ended = ended
        self.log.write(ended)
        return self.judged(attempt)

    def judged(self, attempt: AttemptRecord) -> Judged:
        """What an attempt came to."""
        seen = self.seen.get((self.step.id, attempt.number), ())
        return judge_attempt(self.plan, self.step, attempt, seen, self.writer.histories)

    @contextmanager
    def _rows(self) -> Iterator[Ranges | None]:
        """The rows that are known to be committed, for a step that needs them; until its end none is added."""
        if not self.step.judgement.needs_integrity:
            yield None
            return
        with self.still, self.writer.still() as rows:
            yield rows

    def _ended(self, attempt: AttemptRecord, outcome: Outcome, rows: Ranges | None) -> AttemptEnded:
        facts = fold(self.step, self.seen.get((self.step.id, attempt.number), ()))
        foreign = outcome.ended is Ended.COMPLETED
        return AttemptEnded(
            at=self.context.now(),
            step=self.step.id,
            attempt=attempt.number,
            outcome=outcome,
            acknowledged=None if rows is None else tuple(rows),
            histories=self.writer.look() if self.step.judgement.observes else {},
            last_fault=last_fault(read(self.folder.faults)) if self.step.judgement.observes else None,
            custom=self._foreign_checks(attempt, facts, rows) if foreign else {},
            load=foreign_load(facts),
        )

    def _play(self, number: int, deadline: Deadline) -> Outcome:
        if self.cancel.is_set:
            return Outcome(ended=Ended.CANCELED, rc=None, message="interrupted")
        self.lane.begin_play()
        artifacts = self.folder.step(self.step.id)
        make_private(artifacts)
        request = PlayRequest(
            project=self.folder.plan,
            playbook=self.step.playbook,
            inventory=INVENTORY,
            artifacts=artifacts,
            deadline_seconds=max(round(deadline.remaining, 1), 0.1),
            token=f"{self.lane.token}/{self.step.id}",
            environment=dict(self.lane.environment)
            | {
                "E2E_DEPLOYMENT": self.deployment,
                "E2E_OWNER": str(self.folder.path.parents[1]),
                "E2E_STEP": self.step.id,
                ARTIFACTS: str(artifacts),
                VARIABLE: str(self.folder.faults),
                "E2E_SUITE_FOLDER": str(Path(self.plan.suite_file).resolve().parent),
                **({RESUMED: "1"} if self.resumed else {}),
            },
            verbosity=self.context.options.verbosity,
        )
        outcome = self.context.engine.run(request, lambda event: self._take(number, event), self.cancel)
        if outcome.why:
            self.context.warn_once(f"the {outcome.engine} engine is used: {outcome.why}")
        if self.step.judgement.disconnects or self.step.removes_nodes:
            self.lane.lanes.nodes_went()
        return outcome

    def _take(self, number: int, event: Event) -> None:
        self.log.events.append(self.step.id, number, event)
        self.seen.setdefault((self.step.id, number), []).append(event)
        now, test, step = self.context.now(), self.plan.name, self.step.id
        if event.kind is Kind.TASK_START:
            self.context.tell(notice.TaskStarted(at=now, test=test, step=step, task=event.task))
        if event.stdout:
            self.context.tell(notice.Output(at=now, test=test, step=step, text=event.stdout + "\n"))

    def _foreign_checks(
        self, attempt: AttemptRecord, facts: Facts, rows: Ranges | None
    ) -> dict[str, CustomOutcome]:
        return foreign_checks(
            self.plan,
            self.step,
            attempt.started,
            facts,
            rows,
            folder=self.folder.path,
            deployment=self.deployment,
        )
