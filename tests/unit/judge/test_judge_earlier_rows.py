"""Rows of earlier cycles that are not there any more are lost, and told once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from e2e_ansible.judge.clients import judge_client
from e2e_ansible.judge.durability import durability
from e2e_ansible.judge.operations import history
from e2e_ansible.judge.staleness import staleness
from e2e_ansible.oracle.history import Event, Record

SECOND = 1_000_000_000


def told(*reads: Sequence[int], earlier: int | None = 50) -> list[Record]:
    """One row is acknowledged, then these reads."""
    settings = {} if earlier is None else {"earlier": earlier}
    records = [Record(Event.START, SECOND, SECOND, workload="append", settings=settings)]
    records += operation(2, "append", 3_000_000_001, None)
    for place, read in enumerate(reads, start=2):
        records += operation(2 * place, "read", 3_000_000_000 + place, list(read))
    return [*records, Record(Event.STOP, 99 * SECOND, 99 * SECOND)]


def operation(at: int, op: str, number: int, value: object) -> list[Record]:
    """Invoked, and answered a moment later."""
    first, last = at * SECOND, at * SECOND + SECOND // 10
    asked = number if op == "append" else None
    return [
        Record(Event.INVOKED, first, first, id=number, op=op, value=asked),
        Record(Event.OK, last, last, id=number, op=op, value=value, node="10.0.0.1"),
    ]


OWN = (3_000_000_001, 1)


@pytest.mark.parametrize(
    ("reads", "earlier", "lost"),
    [
        ([(*OWN, 50)], 50, 0),
        ([(*OWN, 51)], 50, 0),
        ([(*OWN, 48)], 50, 2),
        ([(*OWN, 48), OWN], 50, 2),
        ([(*OWN, 48), (*OWN, 50)], 50, 0),
        ([OWN], 50, 0),
        ([(*OWN, 48)], None, 0),
        ([(3_000_000_000, 0, 48)], 50, 3),
    ],
)
def test_too_few_rows_of_earlier_cycles_are_a_loss(
    reads: Sequence[Sequence[int]], earlier: int | None, lost: int
) -> None:
    """The last count decides; rows of this cycle are counted apart."""
    found = durability(history(told(*reads, earlier=earlier)))
    assert found.lost_count == lost
    assert bool(found.findings) is bool(lost)
    if lost == 2:
        assert "48 rows of earlier cycles" in found.findings[0].message
        assert "50 had been acknowledged in them: at least 2 are lost" in found.findings[0].message
    assert judge_client("load", told(*reads, earlier=earlier)).lost_count == lost


def test_a_read_with_three_numbers_is_not_stale() -> None:
    """It is judged by the first two, as any other."""
    assert not staleness(history(told((*OWN, 50)))).findings
    assert staleness(history(told((3_000_000_000, 0, 50)))).findings
