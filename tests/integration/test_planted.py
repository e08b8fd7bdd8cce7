"""Planted defects: each suite must be red, with the check that names the cause; its healthy twin must be green."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from real_runs import Done, a_desk, traces
from role_nodes import REPOSITORY

from e2e_ansible.judge.clients import ClientResult
from e2e_ansible.judge.result import CheckResult, RunResult, TestResult

pytestmark = pytest.mark.nodes
SUITES = sorted((REPOSITORY / "suites/planted").glob("*.yaml"))
ROW = r"row \d+ was acknowledged at \S+ by \S+, timeline 1"
BLIND = r"^app noted nothing since kill on n11 at \S+, so nothing was shown of that; until then: "

#: By test: verdict, cause, and what each red check must say.
PLANTED: dict[str, tuple[str, str, dict[str, str]]] = {
    "lost_primary[replication=asynchronous]": (
        "fail",
        "product",
        {"no_lost_rows": rf"^integrity: n12 lacks \d+ of \d+ acknowledged rows at \S+: [-\d, ]+; {ROW}"},
    ),
    "unflushed[commits=off]": (
        "fail",
        "product",
        {"no_lost_rows": rf"^integrity: n11 lacks \d+ of \d+ acknowledged rows at \S+: [-\d, ]+; {ROW}"},
    ),
    "split_brain[primary=lives]": (
        "fail",
        "product",
        {
            "one_writer": r"\.11 acknowledged append \d+ on timeline 1 at \S+ although "
            r"\S+\.12 acknowledged append \d+ on timeline 2 at \S+ before it was asked: two primaries took writes"
        },
    ),
    "corrupted_block[blocks=corrupted]": (
        "fail",
        "product",
        {
            "data_checksums": r"^n12: database postgres, public\.stock, block 7: checksum verification failed",
            "amcheck": r"^n12: database postgres, public\.stock, block 7: ",
        },
    ),
    "wrong_sum[stolen=7]": (
        "fail",
        "product",
        {"bank_sum:app": r"^app: read \d+ at \S+ on \S+\.11 found a sum of 793, not 800: -7"},
    ),
    "weak_isolation[pooler=forgets]": (
        "fail",
        "product",
        {
            "serializable:app": r"^app: (G-single|G2) under serializable: (txn \d+) [^;]*did not see [^;]*\2(;|$)",
        },
    ),
    "stale_reads[replication=was switched off]": (
        "fail",
        "product",
        {
            "no_stale_reads:rows": r"^rows: read \d+ at \S+ on \S+\.12 (after a failover from timeline 1 to 2 )?"
            r"counted \d+ rows of \d+ acknowledged; append \d+ had been acknowledged at \S+ by ",
            "no_stale_reads:registers": r"^registers: read \d+ at \S+ on \S+\.12 after a failover from timeline 1 to 2 "
            r"read (None|\d+) from key \d+, not (\d+); \w+ \2 had been acknowledged at \S+ by \S+\.11",
            "linearizable:registers": r"^registers: key \d+: (read|cas) \d+ \(worker \d, \S+ to \S+, \S+\.12\) "
            r"(read|changed) .+, but before it the key held [^;]+; \w+ (\d+) had set it to \3 and was acknowledged",
        },
    ),
    "blind_client[client=was stopped before]": (
        "unknown",
        "infrastructure",
        {
            "outage_writes:30:app": BLIND + "app: no outage of writes in",
            "no_lost_rows:app": BLIND + r"app: all \d+ acknowledged rows are there",
            "no_stale_reads:app": BLIND,
            "one_writer:app": BLIND,
        },
    ),
}
TWINS = (
    "lost_primary[replication=synchronous]",
    "unflushed[commits=on]",
    "split_brain[primary=is stopped before]",
    "corrupted_block[blocks=as written]",
    "wrong_sum[stolen=0]",
    "weak_isolation[pooler=keeps]",
    "stale_reads[replication=runs]",
    "blind_client[client=runs]",
)


@dataclass(frozen=True)
class Ran:
    """All suites once."""

    done: Done
    result: RunResult
    folder: Path
    analyzed: Done

    def test(self, name: str) -> TestResult:
        """One test of the run."""
        (found,) = (test for test in self.result.tests if test.name == name)
        return found


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    with a_desk(tmp_path_factory.mktemp("planted")) as desk:
        done = desk.call("run", *map(str, SUITES), "--parallel", "2", seconds=900)
        print(f"all planted suites and their twins: {done.seconds:.0f} s")
        yield Ran(done, desk.result(), desk.newest(), desk.call("analyze", desk.newest().name))


def verdicts(test: TestResult) -> dict[str, CheckResult]:
    """What the checks of the step `verdict` said."""
    (step,) = (step for step in test.workflow_steps if step.id.endswith("-verdict"))
    return {one.check: one for one in step.validation_results}


def client(test: TestResult, name: str) -> ClientResult:
    (found,) = (each for each in test.clients if each.name == name)
    return found


def test_every_suite_has_its_defect_and_its_twin(ran: Ran) -> None:
    assert sorted(test.name for test in ran.result.tests) == sorted([*PLANTED, *TWINS])
    assert ran.done.code == 1, ran.done.said
    assert traces(ran.folder) == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect_is_red_and_its_cause_is_named(ran: Ran, name: str) -> None:
    verdict, cause, red = PLANTED[name]
    test = ran.test(name)
    assert (test.verdict, test.cause) == (verdict, cause), test.error
    said = verdicts(test)
    assert {check for check, one in said.items() if one.passed is not True} == set(red)
    for check, sentence in red.items():
        assert said[check].passed is (None if verdict == "unknown" else False)
        assert re.search(sentence, said[check].message), said[check].message
        assert f"{check}: {said[check].message}" in str(test.error)
        assert sentence_in_output(ran.done.said, check)
    earlier = [step for step in test.workflow_steps if step.verdict is not None][:-1]
    assert {step.verdict for step in earlier} == {"pass"}


def sentence_in_output(said: str, check: str) -> bool:
    """Whether the terminal names the check as one that did not pass."""
    return re.search(rf"check {re.escape(check)} (failed|was not decided)", said) is not None


@pytest.mark.parametrize("name", TWINS)
def test_the_healthy_twin_is_green(ran: Ran, name: str) -> None:
    test = ran.test(name)
    assert (test.verdict, test.cause) == ("pass", None), test.error
    assert {one.passed for one in verdicts(test).values()} == {True}
    assert [each.lost_count for each in test.clients] == [0] * len(test.clients)
    assert [each.resurrected_count for each in test.clients] == [0] * len(test.clients)
    assert [each.findings for each in test.clients] == [()] * len(test.clients)


@pytest.mark.parametrize("name", ["lost_primary[replication=asynchronous]", "unflushed[commits=off]"])
def test_the_client_has_lost_what_it_was_told(ran: Ran, name: str) -> None:
    app = client(ran.test(name), "app")
    assert 0 < app.lost_count < app.acknowledged
    assert {"lost"} <= {finding.kind for finding in app.findings}


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("lost_primary[replication=asynchronous]", "n11:crash_node"),
        ("lost_primary[replication=synchronous]", "n11:crash_node"),
        ("unflushed[commits=on]", "n11:crash_node"),
        ("blind_client[client=runs]", "kill/n11"),
    ],
)
def test_an_outage_belongs_to_the_fault_that_made_it(ran: Ran, name: str, fault: str) -> None:
    app = client(ran.test(name), "app")
    window = max((each for each in app.outages if each.kind == "writes"), key=lambda each: each.seconds)
    assert [each for each in window.faults if each.endswith(fault)], window
    (impact,) = (each for each in app.faults if each.fault.endswith(fault))
    assert impact.writes > 0
    assert impact.recovered is not None
    assert window.start <= impact.recovered


def test_the_folder_alone_gives_the_same(ran: Ran) -> None:
    assert ran.analyzed.code == 0, ran.analyzed.said
