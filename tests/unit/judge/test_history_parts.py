"""Percentiles, plots, graphs, Elle's notation, and the bound of the search."""

from __future__ import annotations

import random
from itertools import permutations, product
from typing import Any

import pytest
from history_store import Store
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_ansible.judge.elle import edn
from e2e_ansible.judge.finding import Finding, Notes
from e2e_ansible.judge.graph import components, cycle_through, path
from e2e_ansible.judge.latency import latency, percentile, series
from e2e_ansible.judge.operations import SECOND, History, Operation, history
from e2e_ansible.judge.register import register
from e2e_ansible.oracle.config import ClientConfig
from e2e_ansible.oracle.session import Undone
from e2e_ansible.oracle.workloads import Register

# ---- latency


@pytest.mark.parametrize(
    ("numbers", "share", "expected"),
    [([5], 0.99, 5), ([1, 2, 3, 4], 0.5, 2.5), ([1, 2, 3, 4], 0, 1), ([1, 2, 3, 4], 1, 4), ([0, 10], 0.9, 9)],
)
def test_percentile(numbers: list[float], share: float, expected: float) -> None:
    assert percentile(numbers, share) == pytest.approx(expected)


@pytest.mark.parametrize(("numbers", "share"), [([], 0.5), ([1], 1.1), ([1], -0.1)])
def test_no_percentile(numbers: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(numbers, share)


def _steady(count: int, every: int, errors: frozenset[int] = frozenset()) -> History:
    return History(
        [
            Operation(
                n,
                0,
                "append",
                n,
                n * every,
                "fail" if n in errors else "ok",
                n * every + (n + 1) * 1000,
                error="x" * (n in errors),
            )
            for n in range(count)
        ]
    )


def test_latency_over_all() -> None:
    told = latency(_steady(101, SECOND))
    assert (told.count, told.p50, told.p90, told.p99, told.max) == (101, 51e-6, 91e-6, 100e-6, 101e-6)
    assert latency(History()).count == 0


def test_series_has_round_bins_and_leaves_out_empty_ones() -> None:
    past = _steady(100, SECOND // 10, frozenset((3, 4)))
    bins = series(past, bins=12)
    assert [each.width for each in bins] == [1] * 10
    assert sum(each.ok for each in bins) == 98
    assert [each.errors for each in bins] == [2] + [0] * 9
    assert bins[0].max == 10e-6
    far = History(
        [*past.operations, Operation(200, 0, "append", 200, 1000 * SECOND, "fail", 1001 * SECOND, error="x")]
    )
    wide = series(far, bins=12)
    assert [(each.at, each.width, each.p50 is None) for each in wide] == [(0, 120, False), (960, 120, True)]


# ---- graphs


def test_components_and_cycles() -> None:
    graph = {1: {2}, 2: {3}, 3: {1, 4}, 4: {5}, 5: {4}, 6: {1}}
    found = sorted(components(graph), key=min)
    assert found == [{1, 2, 3}, {4, 5}]
    assert cycle_through(graph, found[0]) == [1, 2, 3]
    assert path(lambda node: graph.get(node, ()), 1, 5) == [1, 2, 3, 4, 5]
    assert path(lambda node: graph.get(node, ()), 4, 1) is None


def test_a_long_chain_needs_no_recursion() -> None:
    graph: dict[int, set[int]] = {n: {n + 1} for n in range(20_000)}
    graph[20_000] = {0}
    assert [len(part) for part in components(graph)] == [20_001]


# ---- linearizability, against trying every order


def _legal(order: tuple[Operation, ...]) -> bool:
    value: Any = None
    for one in order:
        if one.op == "read" and one.result[1] != value:
            return False
        if one.op == "cas" and one.asked[1] != value:
            return False
        if one.op != "read":
            value = one.asked[-1]
    return True


def _in_real_order(order: tuple[Operation, ...]) -> bool:
    return all(
        not (later.outcome == "ok" and (later.ended or 0) < earlier.began)
        for place, earlier in enumerate(order)
        for later in order[place + 1 :]
    )


def _brute(operations: list[Operation]) -> bool:
    sure = [one for one in operations if one.outcome == "ok"]
    doubtful = [one for one in operations if one.outcome == "unknown"]
    for chosen in product((True, False), repeat=len(doubtful)):
        some = sure + [one for one, taken in zip(doubtful, chosen, strict=True) if taken]
        if any(_legal(order) and _in_real_order(order) for order in permutations(some)):
            return True
    return False


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_search_agrees_with_trying_every_order(seed: int) -> None:
    chance = random.Random(seed)
    operations = []
    for number in range(chance.randint(2, 5)):
        began = chance.randrange(20)
        outcome = "ok" if chance.random() < 0.75 else "unknown"
        op = chance.choice(("read", "write", "cas"))
        value = chance.choice((None, 1, 2)) if op == "read" else chance.choice((1, 2))
        asked = [0, chance.choice((1, 2)), value] if op == "cas" else [0, value]
        ended = began + chance.randint(1, 12) if outcome == "ok" else None
        operations.append(
            Operation(number, number, op, asked, began, outcome, ended, asked if outcome == "ok" else None)
        )
    operations.sort(key=lambda one: one.began)
    useful = [one for one in operations if one.ok or one.op != "read"]
    assert (register(History(operations)).count == 0) is _brute(useful)


def test_beyond_the_bound_nothing_is_said() -> None:
    writes = [Operation(n, n, "write", [0, n], n, "ok", 10_000 + n, [0, n]) for n in range(12)]
    told = register(
        History([*writes, Operation(50, 50, "read", [0, None], 20_000, "ok", 20_001, [0, 99])]), max_steps=500
    )
    assert told.findings == ()
    assert "given up after 500 steps" in told.undecided


def test_a_cas_that_did_not_match_is_known_by_what_the_client_says(tmp_path: Any) -> None:
    class Nothing:
        def statement(self, *_: object) -> list[list[str]]:
            return []

    workload = Register(ClientConfig(hosts=("h",), history=tmp_path / "h", workload="register"))
    with pytest.raises(Undone) as caught:
        workload.perform(Nothing(), 3, ("cas", [0, 1, 3]))  # type: ignore[arg-type]
    assert Operation(3, 0, "cas", [0, 1, 3], 0, "fail", 1, error=str(caught.value)).served
    assert not Operation(3, 0, "cas", [0, 1, 3], 0, "fail", 1, error="connection refused").served


# ---- Elle


def test_the_notation_of_elle() -> None:
    acts = [["append", 1, 10], ["r", 2, None]]
    operations = [
        Operation(1, 0, "txn", acts, 5, "ok", 9, [["append", 1, 10], ["r", 2, [3, 4]]]),
        Operation(2, 1, "txn", acts, 6, "unknown", 20),
        Operation(3, 1, "txn", acts, 30, "fail", 31),
        Operation(4, 0, "txn", acts, 40),
    ]
    invoked = "[[:append 1 10] [:r 2 nil]]"
    assert list(edn(History(operations, began=5))) == [
        f"{{:index 0, :type :invoke, :process 0, :time 0, :f :txn, :value {invoked}}}",
        f"{{:index 1, :type :invoke, :process 1, :time 1, :f :txn, :value {invoked}}}",
        "{:index 2, :type :ok, :process 0, :time 4, :f :txn, :value [[:append 1 10] [:r 2 [3 4]]]}",
        f"{{:index 3, :type :info, :process 1, :time 15, :f :txn, :value {invoked}}}",
        f"{{:index 4, :type :invoke, :process 3, :time 25, :f :txn, :value {invoked}}}",
        f"{{:index 5, :type :fail, :process 3, :time 26, :f :txn, :value {invoked}}}",
        f"{{:index 6, :type :invoke, :process 0, :time 35, :f :txn, :value {invoked}}}",
    ]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_process_of_elle_has_one_operation_at_a_time(seed: int) -> None:
    busy: set[str] = set()
    for line in edn(history(Store(seed, "list-append", failovers=2).records)):
        process = line.split(":process ")[1].split(",")[0]
        if ":type :invoke" in line:
            assert process not in busy
            busy.add(process)
        elif ":type :info" not in line:
            busy.remove(process)


# ---- findings


def test_of_many_findings_the_proofs_are_kept_and_all_are_counted() -> None:
    notes = Notes()
    notes.extend([Finding(kind="doubt", message=str(number), decided=False) for number in range(30)])
    notes.extend([Finding(kind="proof", message=str(number)) for number in range(15)])
    kept = notes.inquiry("some", 45, "reads")
    assert (kept.count, [each.kind for each in kept.findings]) == (45, ["proof"] * 15 + ["doubt"] * 5)
    assert [each.message for each in kept.guilty] == [str(number) for number in range(15)]
    notes.extend([Finding(kind="proof", message=str(number)) for number in range(15, 99)])
    assert (notes.count, [each.message for each in notes.findings]) == (129, [str(n) for n in range(20)])
