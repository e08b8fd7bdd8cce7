"""What a workflow does after the steps of a test, told as a run tells it: heal, collect logs, remove the nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from e2e_ansible.awx.carried import Carried
from e2e_ansible.awx.jobs import Job, follow, seconds_of
from e2e_ansible.awx.step_follow import JobLog
from e2e_ansible.awx.workflow import (
    CLEAN_UP,
    CLEAN_UP_AFTER,
    COLLECT_NODE,
    HEAL_AFTER,
    HEAL_NODE,
    STEP_TEMPLATE,
    Workflow,
)
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.protocol import Ended, Outcome
from e2e_ansible.errors import HarnessError
from e2e_ansible.faults.ledger import FaultRecord, read
from e2e_ansible.judge.entry import CleanUpEnded, Entry, Evidence, FaultsHealed
from e2e_ansible.run.clean_up import keeps
from e2e_ansible.run.context import RunContext
from e2e_ansible.run.folder import TestFolder, make_private
from e2e_ansible.suite.model import Keep
from e2e_ansible.verdict import Verdict

__all__ = ["Aftermath", "Say"]


class Say(Protocol):
    """Tells people something about the test."""

    def __call__(self, text: str, *, level: Literal["info", "warning", "error"] = "info") -> None: ...


@dataclass
class Aftermath:
    """The jobs of a workflow that are no steps. `job_of` waits for the job of a node; None if it never gets one.

    `lost` is why nobody knows what AWX does, '' while it answers.
    """

    context: RunContext
    folder: TestFolder
    workflow: Workflow
    deployment: str
    keep: Keep
    carried: Carried
    job_of: Callable[[str], Job | None]
    lost: Callable[[], str]
    write: Callable[[Entry], None]
    say: Say

    def tell(self, verdict: Verdict) -> None:
        """Follow them, and write down what came of each.

        Raises:
            OSError: the run folder cannot be written.
        """
        if not self._healed(verdict):
            verdict = Verdict.FAIL if verdict is Verdict.PASS else verdict
        self._collected()
        self._cleaned_up(verdict)

    def left(self, page: str) -> None:
        """Nobody looks any more: because of a second interrupt, or as AWX was lost."""
        text = f"what became of deployment {self.deployment} is told by {page}"
        self.write(CleanUpEnded(at=self.context.now(), ok=False, kept=not self.lost(), message=text))

    def _healed(self, verdict: Verdict) -> bool:
        """Tell what was healed at the end; whether nothing is left of any fault."""
        name, job = self._first(HEAL_NODE, HEAL_AFTER)
        if job is None:
            return self._not_healed(verdict)
        outcome = self._log(job, name)
        ok = outcome.ended is Ended.COMPLETED and outcome.rc == 0
        since = seconds_of(job.last.get("created")) or 0.0
        records = read(self.folder.faults)
        left = [each for each in records if each.open]
        lines = [_may_be_there(each) for each in left]
        lines += [
            f"{_what(each)} was healed: {each.message}" for each in records if (each.healed or 0) >= since
        ]
        if not ok and not left:
            lines.append(
                f"nothing proves that all faults are gone: {outcome.message or 'see the log of heal'}"
            )
        if lines:
            entry = FaultsHealed(at=self.context.now(), ok=ok and not left, message="\n".join(lines))
            self.write(entry)
            self.say(entry.message, level="info" if entry.ok else "error")
        return ok and not left

    def _not_healed(self, verdict: Verdict) -> bool:
        """The way to the heal was never taken: nothing is left if a step has removed the nodes, as after a pass."""
        left = [each for each in read(self.folder.faults) if each.open]
        if not left or (verdict is Verdict.PASS and HEAL_NODE not in self._names):
            return True
        why = self.lost() or "the workflow ended before it healed"
        lines = [*map(_may_be_there, left), f"{why}; launch 'e2e heal'"]
        self.write(FaultsHealed(at=self.context.now(), ok=False, message="\n".join(lines)))
        self.say("\n".join(lines), level="error")
        return False

    def _collected(self) -> None:
        job = self.job_of(COLLECT_NODE)
        if job is None:
            return
        folder = self.folder.step(COLLECT_NODE)
        outcome = self._log(job, COLLECT_NODE)
        ok = outcome.ended is Ended.COMPLETED and outcome.rc == 0
        text = f"logs of the nodes are where job {job.last.get('id')} of AWX has brought them"
        if not ok:
            text = f"logs of the nodes are not complete: {outcome.message or 'see its log'}"
        place = str(folder.relative_to(self.folder.path))
        self.write(Evidence(at=self.context.now(), folder=place, message=text))
        self.say(text)

    def _cleaned_up(self, verdict: Verdict) -> None:
        """Tell what the clean-up did; AWX chose the way to it, by the same steps that are judged here."""
        name, job = self._first(CLEAN_UP, CLEAN_UP_AFTER)
        if job is None:
            self.write(self._no_clean_up(verdict))
            return
        outcome = self._log(job, name)
        ok = outcome.ended is Ended.COMPLETED and outcome.rc == 0
        deployment = self.deployment
        text = f"deployment {deployment} was removed"
        if not ok:
            why = outcome.message or "the job of AWX failed; see its log"
            text = f"deployment {deployment} could not be removed: {why}"
        self.write(CleanUpEnded(at=self.context.now(), ok=ok, kept=False, message=text))

    def _no_clean_up(self, verdict: Verdict) -> CleanUpEnded:
        at, deployment = self.context.now(), self.deployment
        if (CLEAN_UP if verdict is Verdict.PASS else CLEAN_UP_AFTER) in self._names:
            why = self.lost() or "the workflow ended before its clean-up"
            text = (
                f"deployment {deployment} may be left, {why}; launch '{STEP_TEMPLATE}' with e2e_step=destroy"
            )
            return CleanUpEnded(at=at, ok=False, kept=False, message=text)
        kept = COLLECT_NODE in self._names and keeps(self.keep, verdict)
        text = f"deployment {deployment} was kept" if kept else "nothing was left to remove"
        return CleanUpEnded(at=at, ok=True, kept=kept, message=text)

    @property
    def _names(self) -> frozenset[str]:
        return frozenset(node.identifier for node in self.workflow.nodes)

    def _first(self, *names: str) -> tuple[str, Job | None]:
        """The first of these nodes that gets a job."""
        jobs = ((name, self.job_of(name)) for name in names)
        return next(((name, job) for name, job in jobs if job is not None), ("", None))

    def _log(self, job: Job, name: str) -> Outcome:
        folder = self.folder.step(name)
        make_private(folder)
        with JobLog(folder) as log:

            def take(event: Event) -> None:
                log(event)
                self._keep(event)

            return follow(job, take, self.context.abandon, self.context.abandon)

    def _keep(self, event: Event) -> None:
        """What a job that is no step carries; here nothing is spoiled any more, but it is told."""
        try:
            told = self.carried.take(event.result) if event.kind is Kind.OK else None
        except HarnessError as error:
            self.say(str(error), level="warning")
            return
        for text in (*told.said, *filter(None, [told.trouble])) if told else ():
            self.say(text, level="warning")


def _may_be_there(record: FaultRecord) -> str:
    return f"{_what(record)} may still be there: {record.message or 'no heal was proved'}"


def _what(record: FaultRecord) -> str:
    return f"{record.name or record.fault} on {record.node}"
