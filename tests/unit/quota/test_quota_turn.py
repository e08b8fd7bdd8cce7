"""Whose turn it is: in order over all runs, nobody starved, and nobody waits for what never comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from quota_home import Paper, claim, this_gate

from e2e_ansible.errors import InfrastructureError
from e2e_ansible.quota.amounts import Amounts, Budget
from e2e_ansible.quota.holder import me
from e2e_ansible.quota.reservation import Claim, Held, Waiting
from e2e_ansible.quota.turn import answer

GONE = "1 1 another-boot"


def held(name: str, nodes: int, holder: str = "", *, kept: bool = False) -> Held:
    return Held(claim(name, nodes), 1, 0, holder or me(), kept)


def ticket(number: int, nodes: int, *, holder: str = "", nested: bool = False, of: int = 6) -> Waiting:
    return Waiting(number, claim(f"w{number}", nodes), 0, holder or me(), Budget(nodes=of), nested)


def test_nobody_overtakes_a_large_test() -> None:
    large, small = ticket(1, 6), ticket(2, 1)
    busy = [held("a", 2)]
    assert not answer(large, busy, [large, small]).granted
    refused = answer(small, busy, [large, small])
    assert (refused.granted, refused.ahead, refused.stuck) == (False, (large,), False)
    assert answer(large, [], [large, small]).granted
    assert answer(small, busy, [small]).granted


def test_who_waits_for_what_a_person_must_remove_keeps_nobody_waiting() -> None:
    large, small = ticket(1, 6), ticket(2, 1)
    for stays in (held("a", 2, GONE), held("a", 2, kept=True)):
        assert answer(large, [stays], [large, small]).stuck
        assert answer(small, [stays], [large, small]).granted


def test_who_gives_nothing_back_before_it_has_more_goes_first() -> None:
    others, nested = ticket(1, 3, holder="2 2 other"), ticket(2, 3, nested=True)
    mine = held("a", 3)
    assert answer(nested, [mine], [others, nested]).granted
    nothing = ticket(2, 3, nested=True, holder="3 3 third")
    assert not answer(nothing, [mine], [ticket(1, 3), nothing]).granted


def test_those_who_wait_for_one_another_are_told() -> None:
    one, other = ticket(1, 4, nested=True), ticket(2, 4, nested=True)
    assert answer(one, [held("a", 3)], [one, other]).stuck


@pytest.mark.parametrize(
    ("amounts", "fits"),
    [
        (Amounts(1, 500, 1024, 10), True),
        (Amounts(1, 501, 1024, 10), False),
        (Amounts(1, 500, 1025, 10), False),
        (Amounts(3, 500, 1024, 10), False),
        (Amounts(1, 500, 1024, 11), False),
    ],
)
def test_all_or_nothing_in_every_dimension(amounts: Amounts, fits: bool) -> None:
    budget = Budget(3, 1500, 2048, 20)
    wanted = Waiting(1, Claim("d", "local", "r", "t", amounts), 0, me(), budget, False)
    has = Held(Claim("e", "local", "r", "t", Amounts(1, 1000, 1024, 10)), 1, 0, me(), False)
    assert answer(wanted, [has], [wanted]).granted is fits


def test_a_wait_is_told_once_with_what_is_lacking_and_who_has_it(tmp_path: Path) -> None:
    said: list[str] = []
    gate = this_gate(tmp_path, nodes=4, said=said)
    assert gate.may_begin(claim("a", 3))
    for _ in range(3):
        assert not gate.may_begin(claim("b", 2))
    assert said == [
        "b: waits for its turn: 2 nodes, with 1 node of 4 nodes left; they are held by a of run-a"
    ]
    gate.over("d-a", gone=True)
    assert gate.may_begin(claim("b", 2))
    got = gate.granted("d-b")
    assert got is not None
    assert got.amounts == Amounts(2)


def test_one_who_leaves_the_queue_keeps_nobody_waiting(tmp_path: Path) -> None:
    gate = this_gate(tmp_path, nodes=4)
    assert gate.may_begin(claim("a", 3))
    assert not gate.may_begin(claim("large", 4))
    assert not gate.may_begin(claim("small", 1))
    gate.withdraw(claim("large", 4))
    assert gate.may_begin(claim("small", 1))


def test_kept_nodes_are_told_to_who_waits_for_them(tmp_path: Path) -> None:
    paper = Paper(["d-a"])
    gate = this_gate(tmp_path, nodes=4, paper=paper)
    assert gate.may_begin(claim("a", 3))
    gate.over("d-a", gone=False)
    with pytest.raises(InfrastructureError, match="it cannot begin: 2 nodes, with 1 node of 4 nodes left"):
        gate.may_begin(claim("b", 2))
    paper.there = []  # somebody has removed them by hand
    assert gate.may_begin(claim("b", 2))


def test_who_waits_for_more_and_will_get_it_gives_back_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has 2 and waits for 2 more, which another one will give back: nobody needs a person."""
    monkeypatch.setattr("e2e_ansible.quota.reservation.lives", lambda holder: holder != "dead")
    nested, mine = ticket(1, 2, holder="one", nested=True), ticket(2, 5)
    assert not answer(mine, [held("a", 2, "one"), held("b", 3, "two")], [nested, mine]).stuck
    assert answer(mine, [held("a", 2, "one"), held("b", 3, "dead")], [nested, mine]).stuck


def test_one_after_the_other_gets_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first can be served at once, the second when that has given back."""
    monkeypatch.setattr("e2e_ansible.quota.reservation.lives", lambda holder: True)
    waiting = [ticket(1, 1, holder="one", nested=True), ticket(2, 4, holder="two", nested=True), ticket(3, 6)]
    has = [held("a", 3, "one"), held("b", 2, "two")]
    assert not answer(waiting[2], has, waiting).stuck
    has = [held("a", 3, "one"), held("b", 3, "two")]
    assert answer(waiting[2], has, [ticket(1, 4, holder="one", nested=True), *waiting[1:]]).stuck
