"""A correct store never gives a finding, whatever happens to it; each planted defect is found."""

from __future__ import annotations

import pytest
from history_store import ACCOUNTS, HANG, MAX_STEP, Store
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from e2e_ansible.judge.clients import judge_client
from e2e_ansible.judge.operations import history
from e2e_ansible.judge.outage import outages

SEEDS = st.integers(0, 2**32)
WORKLOADS = ("append", "bank", "register", "list-append")
DEFECTS = [
    ("append", "lost", {"lost"}),
    ("append", "resurrected", {"resurrected"}),
    ("append", "stale", {"stale"}),
    ("append", "split", {"two writers"}),
    ("bank", "half", {"sum"}),
    ("bank", "split", {"two writers"}),
    ("register", "stale", {"not linearizable"}),
    ("register", "split", {"two writers"}),
    ("list-append", "lost", {"lost", "incompatible order", "stale"}),
    ("list-append", "G1a", {"G1a"}),
    ("list-append", "twice", {"duplicate"}),
    ("list-append", "split", {"two writers"}),
]


@pytest.mark.parametrize("workload", WORKLOADS)
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, failovers=st.integers(0, 3))
def test_a_correct_store_gives_no_finding(workload: str, seed: int, failovers: int) -> None:
    store = Store(seed, workload, failovers=failovers)
    result = judge_client("c", store.records, looks=store.looks)
    assert result.findings == ()
    assert (result.lost_count, result.resurrected_count, result.undecided) == (0, 0, ())
    assert result.operations == result.ok + result.fail + result.unknown > ACCOUNTS


@pytest.mark.parametrize(("workload", "defect", "kinds"), DEFECTS)
@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_a_planted_defect_is_found(workload: str, defect: str, kinds: set[str], seed: int) -> None:
    store = Store(seed, workload, defect, failovers=1)
    assume(store.planted)
    result = judge_client("c", store.records, looks=store.looks)
    assert {finding.kind for finding in result.findings} & kinds, result.findings


@pytest.mark.parametrize("workload", WORKLOADS)
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, failovers=st.integers(0, 2))
def test_an_outage_lies_between_its_bounds(workload: str, seed: int, failovers: int) -> None:
    store = Store(seed, workload, failovers=failovers)
    past = history(store.records)
    for kind in ("writes", "reads"):
        for window in outages(past, kind):
            assert window.low <= window.seconds
            assert window.high is None or window.seconds <= window.high
            if window.seconds <= MAX_STEP / 1e9:
                continue  # one operation cut in flight, which counts where it waited longest
            if window.blind == 0 and window.end is not None and window.high is not None:
                down = [d for d in store.downs if d[0] / 1e9 <= window.end and d[1] / 1e9 >= window.start - 1]
                assert down, "a window without an outage"
                # What was under way when the store died is answered after that; what hangs may end with the next death.
                within = [end - begin for begin, end in down if end / 1e9 >= window.start]
                assert window.high + MAX_STEP / 1e9 >= max(within, default=0) / 1e9
                assert window.low <= (down[-1][1] - down[0][0] + HANG + MAX_STEP) / 1e9
    if not store.downs:
        assert outages(past, "writes") == ()
