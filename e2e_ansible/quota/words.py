"""What is told of a test that does not have its turn: what it lacks, who has that, and what a person can do."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.quota.reservation import Claim, Held
from e2e_ansible.quota.turn import Answer

__all__ = ["cannot_begin", "waits", "was_left", "ways_out"]

_LISTED = 4


def waits(claim: Claim, found: Answer) -> str:
    """What a test waits for that others will give back."""
    reasons = [
        *found.lacking,
        *(f"{each.claim.test} of {each.claim.run} waits before it" for each in found.ahead[:1]),
    ]
    whose = f"; they are held by {_named(found.holders)}" if found.holders else ""
    return f"waits for its turn: {', '.join(reasons)}{whose}"


def cannot_begin(found: Answer) -> str:
    """What it lacks, and who has that."""
    named = _named(found.holders)
    whose = f"; what it lacks is held by {named}, and nobody gives that back by himself" if named else ""
    return f"it cannot begin: {', '.join(found.lacking)}{whose}"


def was_left(held: Held) -> bool:
    """Whether its run was killed and may go on."""
    return not held.alive and not held.kept


def ways_out(holders: Sequence[Held]) -> str:
    """What a person types to get it back: a run that was killed goes on or goes away, what was kept goes away."""
    ways = [
        command
        for held in holders
        if not held.alive
        for command in (
            f"remove its nodes: {held.claim.command('destroy')}",
            *([f"go on with it: {held.claim.command('resume')}"] if was_left(held) else []),
        )
    ]
    return "; or ".join(dict.fromkeys(ways)) or "e2e-ansible quota shows who has what"


def _named(holders: Sequence[Held]) -> str:
    named = [f"{each.claim.test} of {each.claim.run}" for each in holders[:_LISTED]]
    more = len(holders) - _LISTED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
