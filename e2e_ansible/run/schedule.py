"""Runs tests side by side within budgets; the order of the suite is the order of starting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field

from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.errors import HarnessError, InfrastructureError, UsageError
from e2e_ansible.judge.result import TestResult
from e2e_ansible.quota.amounts import Amounts, Budget, total
from e2e_ansible.quota.gate import Gate
from e2e_ansible.quota.reservation import Claim
from e2e_ansible.verdict import Verdict

__all__ = ["INTERRUPTED", "STOPPED", "Done", "Job", "run_jobs", "within_budget"]

#: Why a test was not begun.
STOPPED = "another test did not pass, and the run was to stop then"
INTERRUPTED = "the run was interrupted before its turn"

_LOOK_SECONDS = 1.0
_ASK_SECONDS = 0.1


@dataclass(frozen=True)
class Job:
    """One test: how many nodes it makes, and how to run it.

    `claim` is what it takes from the quota of the machine. `refuse` makes the result of a test that could not be run,
    or whose thread died of an error. One that has `ended` has its result already, and `run` only reads it. What is
    `left_out` already, for this reason, stays so and is not run.
    """

    name: str
    nodes: int
    run: Callable[[], TestResult]
    claim: Claim | None = None
    refuse: Callable[[Exception], TestResult] | None = None
    ended: bool = False
    left_out: str = ""

    @property
    def amounts(self) -> Amounts:
        """What counts against the budget of the run."""
        return self.claim.amounts if self.claim else Amounts(nodes=self.nodes)


@dataclass(frozen=True)
class Done:
    """The results in the jobs' order, and why the others were not begun, by their place among the jobs."""

    results: list[TestResult]
    left_out: Mapping[int, str] = field(default_factory=dict)


def within_budget(sizes: Sequence[tuple[str, Amounts]], budget: Budget, *, whose: str, hint: str) -> None:
    """Refuse tests that could never start.

    Raises:
        UsageError: some need more than the budget has; all such tests are named, with what is too much.
    """
    large = [
        f"{name} needs {', '.join(lacks)}" for name, amounts in sizes if (lacks := budget.lacks(amounts))
    ]
    if large:
        raise UsageError("\n".join([f"larger than {whose}:", *large]), hint=hint)


def run_jobs(
    jobs: Sequence[Job],
    *,
    parallel: int,
    stop_on_error: bool,
    cancel: Cancel,
    budget: Budget | None = None,
    gate: Gate | None = None,
) -> Done:
    """Run the jobs, at most `parallel` and within `budget` at once, each when the gate of the machine lets it begin.

    After a cancel, or with `stop_on_error` after the first verdict that is no pass, no other test begins. Tests
    begin strictly in order, so a large one is not starved by small ones. One that dies takes no other with it.
    """
    with ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="test") as pool:
        return _Schedule(jobs, pool, parallel, stop_on_error, cancel, budget or Budget(), gate).run()


@dataclass
class _Schedule:
    jobs: Sequence[Job]
    pool: ThreadPoolExecutor
    parallel: int
    stop_on_error: bool
    cancel: Cancel
    budget: Budget
    gate: Gate | None
    waiting: list[int] = field(default_factory=list)
    running: dict[Future[TestResult], int] = field(default_factory=dict)
    results: dict[int, TestResult] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)
    asking: bool = False

    def run(self) -> Done:
        """All of them, to their results."""
        self.left_out = {index: job.left_out for index, job in enumerate(self.jobs) if job.left_out}
        self.waiting = sorted(
            (index for index in range(len(self.jobs)) if index not in self.left_out), key=self._waits
        )
        try:
            while self.waiting or self.running:
                self._begin()
                self._look()
                self._stop()
        finally:
            self._withdraw()
        return Done([self.results[index] for index in sorted(self.results)], self.left_out)

    def _begin(self) -> None:
        """Begin what may begin, in order."""
        while self.waiting and self._fits(self.jobs[self.waiting[0]]):
            index = self.waiting[0]
            if self.cancel.is_set and not self.jobs[index].ended:
                return
            job = self.jobs[index]
            try:
                if not self._has_turn(job):
                    return
                act = job.run
            except Exception as error:  # those that run come to their results all the same
                if job.refuse is None:
                    raise
                act = _refusal(job.refuse, error)
            self.asking = False
            self.waiting.pop(0)
            self.running[self.pool.submit(act)] = index

    def _waits(self, index: int) -> bool:
        """Whether it may have to wait: one that goes on with what it has does not, and others may wait for it."""
        claim = self.jobs[index].claim
        return self.gate is None or claim is None or not self.gate.has_taken_over(claim)

    def _has_turn(self, job: Job) -> bool:
        if self.gate is None or job.claim is None:
            return True
        self.asking = True
        return self.gate.may_begin(job.claim)

    def _fits(self, job: Job) -> bool:
        used = total(self.jobs[index].amounts for index in self.running.values())
        return len(self.running) < self.parallel and not self.budget.lacks(job.amounts, used)

    def _look(self) -> None:
        """Take the results of those that have ended; wait a little for one."""
        if not self.running:
            if self.waiting:
                self.cancel.wait(_ASK_SECONDS)
            return
        seconds = _ASK_SECONDS if self.asking else _LOOK_SECONDS
        ended, _ = wait(self.running, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in ended:
            index = self.running.pop(future)
            self.results[index] = self._result(self.jobs[index], future)

    def _result(self, job: Job, future: Future[TestResult]) -> TestResult:
        """Of a test; one whose thread died has the error for its result."""
        error = future.exception()
        if error is None:
            return future.result()
        if job.refuse is None:
            raise error
        told = error if isinstance(error, Exception) else HarnessError(f"it died of {error!r}")
        return job.refuse(told)

    def _stop(self) -> None:
        failed = self.stop_on_error and any(
            result.verdict is not Verdict.PASS for result in self.results.values()
        )
        if self.waiting and (self.cancel.is_set or failed):
            self._withdraw()
            reason = INTERRUPTED if self.cancel.is_set else STOPPED
            ended = [index for index in self.waiting if self.jobs[index].ended]
            self.left_out |= {index: reason for index in self.waiting if index not in ended}
            self.waiting = ended

    def _withdraw(self) -> None:
        """Whoever will not begin waits no more."""
        claim = self.jobs[self.waiting[0]].claim if self.waiting and self.asking else None
        self.asking = False
        if self.gate is not None and claim is not None:
            with suppress(InfrastructureError):  # it goes with this process
                self.gate.withdraw(claim)


def _refusal(refuse: Callable[[Exception], TestResult], error: Exception) -> Callable[[], TestResult]:
    return lambda: refuse(error)
