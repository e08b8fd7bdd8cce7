"""Checks over histories: who is judged, what rows of nodes add, and that each passes, fails and is unknown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from check_situations import OFF, pg, primary, situation, standby

from e2e_ansible.checks import checks, evaluate
from e2e_ansible.oracle.history import Event, Record

MS = 1_000_000
PASS, FAIL, UNKNOWN = True, False, None


def client(workload: str, *operations: tuple[Any, ...], **settings: Any) -> list[Record]:
    """Operations one after the other, 10 ms apart, before the look at 1 s: op, asked, event, result, node, timeline."""
    records = [Record(Event.START, 0, 0, workload=workload, rate=100.0, settings=settings)]
    for number, operation in enumerate(operations, start=1):
        op, asked, event, result, node, timeline = (*operation, None, "", None)[:6]
        begin = number * 10 * MS
        records.append(Record(Event.INVOKED, begin, begin, number, 0, op, asked))
        end = begin + MS
        error = "" if event is Event.OK else "refused"
        done = Record(event, end, end, number, 0, op, result, node=node, timeline=timeline, error=error)
        records.append(done)
    return records


OK, NO = Event.OK, Event.FAIL
APPENDS = [("append", None, OK, None, "a", 1)] * 5
ROWS = client("append", *APPENDS)
READ = client("append", *APPENDS, ("read", None, OK, [5, 5], "a", 1))
SHORT = client("append", *APPENDS, ("read", None, OK, [3, 3], "a", 1))
DOWN = client("append", APPENDS[0], ("append", None, NO), ("append", None, OK, None, "b", 2))
SPLIT = client("append", ("append", None, OK, None, "b", 2), APPENDS[0])
NO_READ = client("append", APPENDS[0], ("read", None, NO), ("read", None, OK, [1, 1]))
BANK = client(
    "bank", ("read", None, OK, [5, 5]), ("transfer", [0, 1, 1], OK), ("read", None, OK, [4, 6]), total=10
)
ROBBED = client("bank", ("read", None, OK, [5, 5]), ("read", None, OK, [4, 5]), total=10)
REGISTER = client("register", ("write", [0, 1], OK, [0, 1]), ("read", [0, None], OK, [0, 1]))
JUMPING = client("register", ("write", [0, 1], OK, [0, 1]), ("read", [0, None], OK, [0, None]))
LISTS = client(
    "list-append",
    ("txn", [["append", 0, 1]], OK, [["append", 0, 1]]),
    ("txn", [["r", 0, None]], OK, [["r", 0, [1]]]),
)
ABORTED = client(
    "list-append", ("txn", [["append", 0, 1]], NO), ("txn", [["r", 0, None]], OK, [["r", 0, [1]]])
)
NOTHING = client("append")


@dataclass(frozen=True)
class Case:
    """Histories by client, and what a check says of them."""

    check: str
    expected: bool | None
    histories: dict[str, Sequence[Record]]
    says: tuple[str, ...] = ()
    nodes: dict[str, Any] = field(default_factory=dict)


def held(rows: tuple[tuple[int, int], ...], **replica: Any) -> dict[str, Any]:
    """Rows on the primary; replicas hold all."""
    return pg(n11=primary(integrity=rows), **{"n12": standby(integrity=((1, 5),)), **replica})


CASES = [
    Case("no_lost_rows", PASS, {"integrity": ROWS}, ("integrity: all 5 acknowledged rows",), held(((1, 5),))),
    Case(
        "no_lost_rows",
        FAIL,
        {"integrity": ROWS},
        ("n11 lacks 1 of 5", ": 3;", "acknowledged at"),
        held(((1, 2), (4, 5))),
    ),
    Case(
        "no_lost_rows",
        PASS,
        {"integrity": ROWS},
        ("n12 lacks 1: 5",),
        held(((1, 5),), n12=standby(integrity=((1, 4),))),
    ),
    Case("no_lost_rows", UNKNOWN, {"integrity": ROWS}, ("nobody read its rows",), {"n11": OFF}),
    Case(
        "no_lost_rows",
        UNKNOWN,
        {"integrity": ROWS},
        ("nobody read its rows",),
        pg(n11=primary(integrity=None)),
    ),
    Case("no_lost_rows:load", PASS, {"load": READ, "integrity": SHORT}, ("load: all 5",)),
    Case("no_lost_rows:load", UNKNOWN, {"load": ROWS}, ("nobody read its rows",)),
    Case("no_lost_rows:load", FAIL, {"load": SHORT}, ("at least 2 are lost",)),
    Case("no_lost_rows", FAIL, {"a": READ, "load": SHORT, "bank": BANK}, ("load: the last read",)),
    Case("no_lost_rows", UNKNOWN, {"a": READ, "load": ROWS}, ("load: nobody",)),
    Case("no_lost_rows", UNKNOWN, {"bank": BANK}, ("no client runs append",)),
    Case(
        "outage_writes:1",
        PASS,
        {"c": DOWN},
        ("c: writes were away for 0.011 s", "limit 1 s", "append 3 answered on b, timeline 2"),
    ),
    Case("outage_writes:0.01", FAIL, {"c": DOWN}, ("refused", "at least 0.001 s, at most 0.020 s")),
    Case("outage_writes:1", UNKNOWN, {"c": NOTHING}, ("c asked for no writes",)),
    Case("outage_writes:1:c", UNKNOWN, {"d": DOWN}, ("no history of a client c; there are those of d",)),
    Case("outage_reads:1", PASS, {"c": NO_READ}, ("reads were away for 0.011 s",)),
    Case("outage_reads:0", FAIL, {"c": NO_READ}, ("limit 0 s",)),
    Case("outage_reads:1:c", UNKNOWN, {"c": ROWS}, ("asked for no reads",)),
    Case("bank_sum", PASS, {"bank": BANK, "load": ROWS}, ("bank: the sum held over 2 reads",)),
    Case("bank_sum:bank", FAIL, {"bank": ROBBED}, ("9, not 10: -1",)),
    Case("bank_sum", UNKNOWN, {"load": ROWS}, ("no client runs bank",)),
    Case("linearizable", PASS, {"r": REGISTER}, ("2 answers",)),
    Case("linearizable", FAIL, {"r": JUMPING}, ("key 0: read 2", "held 1")),
    Case("linearizable:r", UNKNOWN, {"r": BANK}, ("runs bank", "judges register")),
    Case("serializable", PASS, {"l": LISTS}, ("1 reads of lists",)),
    Case("serializable", FAIL, {"l": ABORTED}, ("txn 1 was rolled back",)),
    Case("serializable", UNKNOWN, {"r": REGISTER}, ("no client runs list-append",)),
    Case("no_stale_reads", PASS, {"c": READ, "r": REGISTER, "l": LISTS}, ("c: each", "r: each", "l: each")),
    Case("no_stale_reads", FAIL, {"c": SHORT, "r": REGISTER}, ("c: read 6", "counted 3 rows of 5")),
    Case("no_stale_reads", UNKNOWN, {"c": ROWS}, ("no reads",)),
    Case("one_writer", PASS, {"c": DOWN, "d": NO_READ}, ("c and d: one node",)),
    Case("one_writer", FAIL, {"c": SPLIT}, ("two primaries",)),
    Case(
        "one_writer",
        FAIL,
        {
            "c": client("append", ("append", None, OK, None, "b", 2)),
            "d": client("append", ("read", None, OK, [0, 0]), APPENDS[0]),
        },
    ),
    Case("one_writer", UNKNOWN, {"c": NOTHING}, ("no acknowledged writes",)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}-{case.expected}")
def test_outcome(case: Case) -> None:
    outcome = evaluate(case.check, situation(case.nodes, histories=case.histories))
    assert outcome.passed is case.expected, outcome.message
    assert outcome.infrastructure is (case.expected is UNKNOWN)
    assert all(text in outcome.message for text in case.says), outcome.message


def test_every_check_is_seen_to_pass_to_fail_and_to_be_unknown() -> None:
    names = [name for name, check in checks().items() if check.needs_histories]
    seen = {(case.check.partition(":")[0], case.expected) for case in CASES}
    assert seen == {(name, expected) for name in names for expected in (PASS, FAIL, UNKNOWN)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}-{case.expected}")
@pytest.mark.parametrize("histories", [{}, {"c": ()}])
def test_without_records_nothing_is_shown(case: Case, histories: dict[str, Sequence[Record]]) -> None:
    outcome = evaluate(case.check, situation(case.nodes, histories=histories))
    assert (outcome.passed, outcome.infrastructure) == (UNKNOWN, True)
    assert "no client noted anything" in outcome.message


def test_servers_that_stand_alone_share_no_rows() -> None:
    nodes = pg(n11=primary(integrity=((1, 5),)), n12=primary(integrity=()))
    look = situation(nodes, histories={"integrity": ROWS}, database="standalone")
    assert evaluate("no_lost_rows", look).passed is PASS


def test_what_was_acknowledged_after_the_look_began_is_not_missing_in_it() -> None:
    late = client("append", *APPENDS * 30)
    assert evaluate("no_lost_rows", situation(held(((1, 99),)), histories={"integrity": late})).passed is PASS


SEEN, UNSEEN = (0.02, "kill on n11"), (0.5, "kill on n11")


def since(fault: tuple[float, str], check: str, **histories: Sequence[Record]) -> tuple[bool | None, str]:
    look = dataclasses.replace(situation(held(((1, 200),)), histories=histories), last_fault=fault)
    outcome = evaluate(check, look)
    return outcome.passed, outcome.message


@pytest.mark.parametrize("check", ["outage_writes:9:c", "no_lost_rows:c", "no_stale_reads", "one_writer"])
def test_a_client_that_noted_nothing_since_a_fault_shows_nothing_of_it(check: str) -> None:
    assert since(SEEN, check, c=READ)[0] is PASS
    passed, message = since(UNSEEN, check, c=READ)
    assert passed is UNKNOWN
    assert message.startswith(
        "c noted nothing since kill on n11 at 00:00:00.500, so nothing was shown of that; until"
    )


@pytest.mark.parametrize("check", ["outage_writes:9", "no_lost_rows", "one_writer"])
def test_clients_that_saw_the_fault_speak_for_those_that_did_not(check: str) -> None:
    longer = [*READ, *client("append", *APPENDS * 20)[1:]]
    passed, message = since(UNSEEN, check, c=READ, integrity=longer)
    assert passed is PASS, message
    if check != "one_writer":
        assert "c:" not in message


def test_what_a_client_has_proved_before_a_fault_stays_proved() -> None:
    assert since(UNSEEN, "no_lost_rows:c", c=SHORT)[0] is FAIL
    assert since(UNSEEN, "one_writer:c", c=SPLIT)[0] is FAIL
