"""Whose turn it is. Pure: reservations and tickets in, an answer out.

First come, first served, over all runs: who comes later does not overtake, so a large test gets its turn when those
that run have ended. But who can only be helped by a person, because what it lacks is kept or was left by a run that
died, keeps nobody else waiting; and who gives nothing back before it gets more goes before those who have nothing yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from e2e_ansible.quota.amounts import total
from e2e_ansible.quota.reservation import Held, Waiting

__all__ = ["Answer", "answer"]


@dataclass(frozen=True)
class Answer:
    """Whether it may begin. If not: what is `lacking`, who is `ahead`, and who has what it waits for.

    `stuck`: nobody who lives will give enough back.
    """

    granted: bool
    lacking: tuple[str, ...] = ()
    ahead: tuple[Waiting, ...] = ()
    holders: tuple[Held, ...] = ()
    stuck: bool = False


def answer(mine: Waiting, held: Sequence[Held], waiting: Sequence[Waiting]) -> Answer:
    """What becomes of a ticket, which is among `waiting`; all of those live."""
    fixed = _fixed(held, waiting)
    if mine.budget.lacks(mine.claim.amounts, total(each.claim.amounts for each in fixed)):
        return _refusal(mine, fixed, (), stuck=True)
    ahead = tuple(each for each in _before(mine, held, waiting) if not _is_stuck(each, fixed))
    lacking = mine.budget.lacks(mine.claim.amounts, total(each.claim.amounts for each in held))
    if ahead or lacking:
        return _refusal(mine, held, ahead, stuck=False)
    return Answer(True)


def _refusal(mine: Waiting, held: Sequence[Held], ahead: tuple[Waiting, ...], *, stuck: bool) -> Answer:
    lacking = mine.budget.lacks(mine.claim.amounts, total(each.claim.amounts for each in held))
    return Answer(False, tuple(lacking), ahead, tuple(held) if lacking else (), stuck)


def _fixed(held: Sequence[Held], waiting: Sequence[Waiting]) -> list[Held]:
    """What nobody gives back by himself: no living process has it, or one that waits for what never comes.

    Who gives nothing back before he gets more gives back all of it as soon as he could get that beside what is fixed.
    """
    alive = {each: each.alive for each in held}
    blocked = [each for each in waiting if each.nested]
    while True:
        holders = {each.holder for each in blocked}
        fixed = [each for each in held if not alive[each] or each.holder in holders]
        still = [each for each in blocked if _is_stuck(each, fixed)]
        if len(still) == len(blocked):
            return fixed
        blocked = still


def _is_stuck(ticket: Waiting, fixed: Sequence[Held]) -> bool:
    return bool(ticket.budget.lacks(ticket.claim.amounts, total(each.claim.amounts for each in fixed)))


def _before(mine: Waiting, held: Sequence[Held], waiting: Sequence[Waiting]) -> list[Waiting]:
    """Those who have their turn first."""
    having = {each.holder for each in held}

    def place(ticket: Waiting) -> tuple[bool, int]:
        return not (ticket.nested and ticket.holder in having), ticket.ticket

    return [each for each in waiting if place(each) < place(mine)]
