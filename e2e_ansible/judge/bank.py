"""Money neither appears nor vanishes: every read of all accounts sums to the same, and transfers leave their mark.

The sum that must hold is told by the first line of the history (setting `total`), else it is that of the first read.
Balances below zero are wrong only if the setting `negative` is false. Beyond
the sum, the last read is held against the first: each balance must have moved by the transfers acknowledged between
them, give or take those whose fate is unknown or that were under way; that finds a transfer that was lost whole.
It is not asked of a torn history, in which transfers may be missing.
"""

from __future__ import annotations

from collections.abc import Sequence

from e2e_ansible.judge.finding import Finding, Inquiry, Notes
from e2e_ansible.judge.operations import History, Operation, clock, seconds

__all__ = ["bank"]


def bank(history: History) -> Inquiry:
    """Judge a history of transfers and reads."""
    reads = [one for one in history.of("read") if one.ok and _balances(one)]
    notes = Notes()
    if reads:
        total = history.settings.get("total")
        debts = history.settings.get("negative") is not False
        expected = sum(_balances(reads[0])) if total is None else int(total)
        for one in reads:
            _sum(one, expected, len(_balances(reads[0])), notes)
            if not debts:
                _debt(one, notes)
        _moved(history, reads[0], max(reads, key=lambda one: one.began), notes)
    return notes.inquiry("bank", len(reads), "reads of all accounts")


def _balances(one: Operation) -> Sequence[int]:
    """The balances of a read; empty when its result is something else."""
    result = one.result
    whole = isinstance(result, list | tuple) and all(isinstance(each, int) for each in result)
    return result if whole else ()


def _sum(one: Operation, expected: int, accounts: int, notes: Notes) -> None:
    balances = _balances(one)
    found = sum(balances)
    if len(balances) != accounts:
        _note(notes, "accounts", one, f"found {len(balances)} accounts, not {accounts}")
    if found != expected:
        _note(notes, "sum", one, f"found a sum of {found}, not {expected}: {found - expected:+d}")


def _debt(one: Operation, notes: Notes) -> None:
    debts = [f"account {number} has {amount}" for number, amount in enumerate(_balances(one)) if amount < 0]
    if debts:
        _note(notes, "negative", one, f"found a balance below zero: {', '.join(debts[:5])}")


def _note(notes: Notes, kind: str, one: Operation, text: str) -> None:
    message = f"{one.title} at {clock(one.began)}{f' on {one.node}' if one.node else ''} {text}"
    notes.add(Finding(kind=kind, message=message, at=seconds(one.began), operations=(one.id,)))


def _moved(history: History, first: Operation, last: Operation, notes: Notes) -> None:
    """Whether the balances of two reads differ by what was done between them."""
    before, after = _balances(first), _balances(last)
    if history.torn or first is last or len(before) != len(after) or first.ended is None:
        return
    low, high = [0] * len(before), [0] * len(before)
    for one in history.of("transfer"):
        if one.outcome == "fail" or not _between(one, first, last, len(before)):
            continue
        sure = one.ok and one.began > first.ended and one.ended is not None and one.ended < last.began
        for account, amount in ((one.asked[0], -one.asked[2]), (one.asked[1], one.asked[2])):
            low[account] += amount if sure else min(amount, 0)
            high[account] += amount if sure else max(amount, 0)
    for account, (old, new) in enumerate(zip(before, after, strict=True)):
        if not old + low[account] <= new <= old + high[account]:
            possible = _range(old + low[account], old + high[account])
            text = (
                f"found {new} on account {account}, but by the acknowledged transfers it must be {possible}"
            )
            _note(notes, "lost", last, text)


def _between(one: Operation, first: Operation, last: Operation, accounts: int) -> bool:
    """Whether a transfer can be in the last read and not in the first."""
    transfer = one.asked
    known = isinstance(transfer, list | tuple) and len(transfer) == 3
    known = known and all(isinstance(each, int) for each in transfer)
    if not known or max(transfer[0], transfer[1]) >= accounts or min(transfer[0], transfer[1]) < 0:
        return False
    late = last.ended is not None and one.began > last.ended
    early = one.ok and one.ended is not None and one.ended < first.began
    return not late and not early


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"from {low} to {high}"
