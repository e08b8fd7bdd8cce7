"""Tests side by side: as many as may, no more nodes than the budget, in order, and none after a stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e_ansible.engine.protocol import Cancel
from e2e_ansible.errors import HarnessError, InfrastructureError, UsageError
from e2e_ansible.judge.result import TestResult
from e2e_ansible.quota.amounts import Amounts, Budget
from e2e_ansible.quota.gate import Gate
from e2e_ansible.quota.ledger import Ledger
from e2e_ansible.quota.reservation import Claim
from e2e_ansible.run.schedule import INTERRUPTED, STOPPED, Done, Job, run_jobs, within_budget
from e2e_ansible.verdict import Verdict

WAIT = 20


def result(name: str, verdict: Verdict = Verdict.PASS) -> TestResult:
    return TestResult(
        deployment_id="d", name=name, provider="local", success=verdict is Verdict.PASS, verdict=verdict
    )


class Hall:
    """Jobs that tell who runs beside whom."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: dict[str, int] = {}
        self.began: list[str] = []
        self.most_nodes = 0
        self.most_tests = 0
        self.cancel = Cancel()
        self.done = Done([])

    def job(
        self,
        name: str,
        nodes: int = 1,
        verdict: Verdict = Verdict.PASS,
        act: Callable[[], object] = lambda: None,
    ) -> Job:
        """A test that acts, and ends with this verdict."""

        def run() -> TestResult:
            with self._lock:
                self.began.append(name)
                self._inside[name] = nodes
                self.most_nodes = max(self.most_nodes, sum(self._inside.values()))
                self.most_tests = max(self.most_tests, len(self._inside))
            act()
            with self._lock:
                del self._inside[name]
            return result(name, verdict)

        return Job(name, nodes, run)

    def run(
        self, *jobs: Job, parallel: int = 1, max_nodes: int | None = None, stop_on_error: bool = False
    ) -> list[str]:
        """The names of the tests that were run, in the order of their results."""
        self.done = run_jobs(
            jobs,
            parallel=parallel,
            budget=Budget(nodes=max_nodes),
            stop_on_error=stop_on_error,
            cancel=self.cancel,
        )
        return [each.name for each in self.done.results]


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_one_after_the_other(hall: Hall) -> None:
    assert hall.run(*(hall.job(name) for name in "abc")) == hall.began == ["a", "b", "c"]
    assert hall.most_tests == 1


def test_side_by_side_and_no_more_than_may(hall: Hall) -> None:
    pairs = threading.Barrier(2, timeout=WAIT)  # nobody ends alone
    names = ["a", "b", "c", "d", "e", "f"]
    assert hall.run(*(hall.job(name, act=pairs.wait) for name in names), parallel=2) == names
    assert hall.most_tests == 2


def test_results_are_in_the_order_of_the_suite_whoever_ends_first(hall: Hall) -> None:
    ended = threading.Event()
    slow = hall.job("slow", act=lambda: ended.wait(WAIT))
    assert hall.run(slow, hall.job("fast", act=ended.set), parallel=2) == ["slow", "fast"]


def test_no_more_nodes_than_the_budget(hall: Hall) -> None:
    pair, third = threading.Barrier(2, timeout=WAIT), threading.Event()

    def stay() -> None:
        pair.wait()
        third.wait(0.3)  # it never comes, unless the budget is not kept

    jobs = [*(hall.job(name, nodes=3, act=stay) for name in "ab"), hall.job("c", nodes=3, act=third.set)]
    assert hall.run(*jobs, parallel=4, max_nodes=6) == [*"abc"]
    assert (hall.most_nodes, hall.most_tests) == (6, 2)


def test_a_large_test_is_not_overtaken_by_small_ones(hall: Hall) -> None:
    jobs = [hall.job("a", 1), hall.job("large", 3), hall.job("b", 1), hall.job("c", 1)]
    assert hall.run(*jobs, parallel=3, max_nodes=3) == ["a", "large", "b", "c"]
    assert hall.began[:2] == ["a", "large"]
    assert hall.most_nodes == 3


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.UNKNOWN])
@pytest.mark.parametrize(("stop", "names"), [(True, ["a", "b"]), (False, ["a", "b", "c"])])
def test_after_an_error_no_other_test_begins_if_so_asked(
    hall: Hall, verdict: Verdict, stop: bool, names: list[str]
) -> None:
    jobs = [hall.job("a"), hall.job("b", verdict=verdict), hall.job("c")]
    assert hall.run(*jobs, stop_on_error=stop) == hall.began == names


def test_a_stop_lets_those_that_run_come_to_their_end(hall: Hall) -> None:
    failed = threading.Event()
    jobs = [
        hall.job("slow", act=lambda: failed.wait(WAIT)),
        hall.job("bad", verdict=Verdict.FAIL, act=failed.set),
        hall.job("late"),
    ]
    assert hall.run(*jobs, parallel=2, max_nodes=2, stop_on_error=True)[:2] == ["slow", "bad"]


def test_after_a_cancel_no_other_test_begins(hall: Hall) -> None:
    jobs = [hall.job("a"), hall.job("b", act=hall.cancel.set), hall.job("c")]
    assert hall.run(*jobs) == ["a", "b"]


def test_nothing_to_run(hall: Hall) -> None:
    assert hall.run() == []


@pytest.mark.parametrize(("nodes", "fits"), [(None, True), (3, True), (2, False)])
def test_a_test_that_can_never_start_is_refused(nodes: int | None, fits: bool) -> None:
    sizes = [("small", Amounts(1)), ("large", Amounts(3)), ("other", Amounts(3, memory_mb=4096))]
    if fits:
        within_budget(sizes, Budget(nodes=nodes), whose="it", hint="")
        return
    with pytest.raises(UsageError) as caught:
        within_budget(sizes, Budget(nodes=nodes), whose="it", hint="")
    assert str(caught.value).splitlines() == [
        "larger than it:",
        "large needs 3 nodes, with a budget of 2 nodes",
        "other needs 3 nodes, with a budget of 2 nodes",
    ]


def test_every_bound_that_is_too_low_is_told() -> None:
    with pytest.raises(UsageError, match=r"8 GiB of memory, with a budget of 6 GiB of memory") as caught:
        within_budget([("t", Amounts(1, 3000, 8192))], Budget(None, 2000, 6144), whose="it", hint="")
    assert "3 cpus, with a budget of 2 cpus" in str(caught.value)


# ---- one that dies, and those that are left out


def test_a_thread_that_dies_takes_no_other_test_with_it(hall: Hall) -> None:
    def die() -> TestResult:
        raise SystemExit("died")

    def refuse(error: Exception) -> TestResult:
        assert isinstance(error, HarnessError)
        assert "died" in str(error)
        return result("dead", Verdict.FAIL)

    dead = Job("dead", 1, die, refuse=refuse)
    assert hall.run(hall.job("a"), dead, hall.job("b"), parallel=3) == ["a", "dead", "b"]
    assert [each.verdict for each in hall.done.results] == [Verdict.PASS, Verdict.FAIL, Verdict.PASS]


def test_it_is_told_why_tests_are_left_out(hall: Hall) -> None:
    hall.run(hall.job("a", verdict=Verdict.FAIL), hall.job("b"), hall.job("c"), stop_on_error=True)
    assert hall.done.left_out == {1: STOPPED, 2: STOPPED}
    hall.run(hall.job("a", act=hall.cancel.set), hall.job("b"))
    assert hall.done.left_out == {1: INTERRUPTED}


# ---- trouble of the gate


class Trouble(Gate):
    """A gate whose ledger, or whose provider, has trouble."""

    def may_begin(self, claim: Claim) -> bool:
        """Whose turn it is, but for `bad`."""
        if claim.test == "bad":
            raise RuntimeError("a provider from elsewhere")
        return claim.test != "waits" and super().may_begin(claim)

    def withdraw(self, claim: Claim) -> None:
        """It cannot be entered."""
        raise InfrastructureError("the disk is full")


def gated(hall: Hall, name: str, nodes: int = 1, act: Callable[[], object] = lambda: None) -> Job:
    claim = Claim(f"d-{name}", "local", "r", name, Amounts(nodes))
    job = hall.job(name, nodes, act=act)
    return Job(name, nodes, job.run, claim, lambda error: result(name, Verdict.FAIL))


def gate(home: Path, nodes: int, kind: type[Gate] = Gate) -> Gate:
    return kind(Ledger(home), Budget(nodes=nodes), lambda name: None, lambda test, text: None)  # type: ignore[arg-type, return-value]


def test_a_gate_that_raises_loses_no_result(hall: Hall, tmp_path: Path) -> None:
    asked = threading.Event()
    jobs = [
        gated(hall, "a", act=lambda: asked.wait(WAIT)),
        gated(hall, "bad"),
        gated(hall, "b", act=asked.set),
    ]
    done = run_jobs(
        jobs, parallel=3, stop_on_error=False, cancel=hall.cancel, gate=gate(tmp_path, 3, Trouble)
    )
    assert [each.verdict for each in done.results] == [Verdict.PASS, Verdict.FAIL, Verdict.PASS]


def test_a_ticket_that_cannot_be_withdrawn_loses_no_result(hall: Hall, tmp_path: Path) -> None:
    asked = threading.Event()

    class Asked(Trouble):
        def may_begin(self, claim: Claim) -> bool:
            if claim.test == "waits":
                asked.set()
            return super().may_begin(claim)

    def stop() -> None:
        assert asked.wait(WAIT)
        hall.cancel.set()

    jobs = [gated(hall, "a", act=stop), gated(hall, "waits")]
    done = run_jobs(jobs, parallel=2, stop_on_error=False, cancel=hall.cancel, gate=gate(tmp_path, 3, Asked))
    assert [each.name for each in done.results] == ["a"]
    assert done.left_out == {1: INTERRUPTED}


def test_who_goes_on_with_what_it_has_begins_before_who_waits_for_that(hall: Hall, tmp_path: Path) -> None:
    """One had given back what it had when the run died, and the other had taken that."""
    jobs = [gated(hall, "had", 2), gated(hall, "has", 3)]
    former = gate(tmp_path, 3)
    assert former.may_begin(jobs[1].claim)  # type: ignore[arg-type]
    this = gate(tmp_path, 3)
    this.take_over([job.claim for job in jobs if job.claim])
    jobs[1] = gated(hall, "has", 3, act=lambda: this.over("d-has", gone=True))
    guard = threading.Timer(WAIT, hall.cancel.set)  # of a wait without an end
    guard.start()
    done = run_jobs(jobs, parallel=1, stop_on_error=False, cancel=hall.cancel, gate=this)
    guard.cancel()
    assert hall.began == ["has", "had"]
    assert [each.name for each in done.results] == ["had", "has"]


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_result_that_is_there_is_not_left_out(hall: Hall, interrupted: bool) -> None:
    """One went on after the run died, and another had ended before."""
    act = hall.cancel.set if interrupted else lambda: None
    over = Job("over", 0, lambda: result("over"), ended=True)
    jobs = [hall.job("goes on", verdict=Verdict.FAIL, act=act), hall.job("late"), over]
    assert hall.run(*jobs, stop_on_error=True) == ["goes on", "over"]
    assert hall.done.left_out == {1: INTERRUPTED if interrupted else STOPPED}
