"""Two nodes that took writes at once, read from who acknowledged what, and when.

A proof is a write that was asked after another node had acknowledged one and that an *earlier* server acknowledged:

- its timeline is older than one that had acknowledged a write before it was asked, or
- on one timeline a node acknowledges, then another, then the first again, each asked after the one before was
  acknowledged. PostgreSQL has one writer to a timeline, so this is a copy that was made a primary by hand.

Where nodes told no timeline, such a change to and fro may be two failovers: it is told, and is no proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from e2e_ansible.judge.finding import Finding, Inquiry, Notes
from e2e_ansible.judge.operations import History, Operation, clock, seconds

__all__ = ["writers"]


def writers(history: History) -> Inquiry:
    """Judge the acknowledged writes of a history of whatever workload."""
    return writers_of([history])


def writers_of(histories: Sequence[History]) -> Inquiry:
    """Judge the writes of several clients of one cluster together; their clocks are those of the controller."""
    acked = [
        one
        for history in histories
        for one in history.operations
        if one.ok and one.node and one.ended is not None and not one.reads
    ]
    acked.sort(key=lambda one: one.began)
    notes = Notes()
    notes.extend(list(_older_timelines(acked)))
    timelines: dict[int, list[Operation]] = {}
    for one in acked:
        timelines.setdefault(one.timeline, []).append(one)
    for timeline, operations in sorted(timelines.items()):
        notes.extend(list(_to_and_fro(timeline, operations)))
    return notes.inquiry("writers", len(acked), "acknowledged writes")


def _older_timelines(acked: Sequence[Operation]) -> Iterator[Finding]:
    """Writes that began after a newer timeline had acknowledged one; `acked` is in order of beginning."""
    answers = sorted((one for one in acked if one.timeline), key=lambda one: one.ended or 0)
    newest: Operation | None = None
    place = 0
    for one in acked:
        while place < len(answers) and (answers[place].ended or 0) < one.began:
            if newest is None or answers[place].timeline > newest.timeline:
                newest = answers[place]
            place += 1
        if newest is not None and 0 < one.timeline < newest.timeline:
            text = f"{_who(one)} although {_who(newest)} before it was asked: two primaries took writes"
            yield Finding(
                kind="two writers", message=text, at=seconds(one.began), operations=(newest.id, one.id)
            )


def _to_and_fro(timeline: int, acked: Sequence[Operation]) -> Iterator[Finding]:
    """A node acknowledges, then another, then the first again. For each node only its last turn is needed."""
    if len({one.node for one in acked}) < 2:
        return
    answers = sorted(acked, key=lambda one: one.ended or 0)
    first: dict[str, Operation] = {}
    between: dict[str, Operation] = {}
    place = 0
    for one in acked:
        while place < len(answers) and (answers[place].ended or 0) < one.began:
            _remember(answers[place], first, between)
            place += 1
        other = between.get(one.node)
        if other is not None:
            proof = timeline > 0
            text = f"{_who(one)}, although {_who(other)} in between"
            text += (
                ": two primaries took writes"
                if proof
                else "; no timelines were told, so this may be two failovers"
            )
            yield Finding(
                kind="two writers",
                message=text,
                at=seconds(one.began),
                operations=(first[one.node].id, other.id, one.id),
                decided=proof,
            )
            if not proof:
                first.pop(one.node), between.pop(one.node)


def _remember(one: Operation, first: dict[str, Operation], between: dict[str, Operation]) -> None:
    first.setdefault(one.node, one)
    for node, earlier in first.items():
        if node != one.node and (earlier.ended or 0) < one.began:
            between.setdefault(node, one)


def _who(one: Operation) -> str:
    timeline = f" on timeline {one.timeline}" if one.timeline else ""
    return f"{one.node} acknowledged {one.title}{timeline} at {clock(one.ended or 0)}"
