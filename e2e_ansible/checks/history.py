"""Checks over what clients noted until the look: outages, lost rows, sums, order, stale reads, two writers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from e2e_ansible.checks.base import Check, Outcome, Situation, failed, passed, unknown
from e2e_ansible.checks.integrity import rows_scope
from e2e_ansible.judge.bank import bank
from e2e_ansible.judge.durability import Look, durability, look_at
from e2e_ansible.judge.elle import elle
from e2e_ansible.judge.finding import Finding, Inquiry
from e2e_ansible.judge.operations import SECOND, History, clock
from e2e_ansible.judge.outage import Kind, OutageWindow, longest, outages
from e2e_ansible.judge.register import register
from e2e_ansible.judge.staleness import staleness
from e2e_ansible.judge.writers import writers_of
from e2e_ansible.oracle.config import INTEGRITY
from e2e_ansible.oracle.ranges import count, describe

__all__ = ["CHECKS"]

_TOLD = 3
_NOTHING = "no client noted anything before this look, so nothing was shown"

_Judge = Callable[[History], Inquiry]


def _asked(situation: Situation, client: str, workloads: Sequence[str]) -> Mapping[str, History] | Outcome:
    """The histories to judge: of one client, or of all that run a workload which the check can judge."""
    pasts = situation.pasts
    if not pasts:
        return unknown(_NOTHING)
    if client and client not in pasts:
        return unknown(
            f"there is no history of a client {client}; there are those of {', '.join(sorted(pasts))}"
        )
    if client and workloads and pasts[client].workload not in workloads:
        text = f"the client {client} runs {pasts[client].workload}, and this check judges {' and '.join(workloads)}"
        return unknown(text)
    chosen = {client: pasts[client]} if client else pasts
    fitting = {name: past for name, past in chosen.items() if not workloads or past.workload in workloads}
    return fitting or unknown(f"no client runs {' or '.join(workloads)}, so nothing was shown")


def _each(
    situation: Situation, client: str, workloads: Sequence[str], judge: Callable[[str, History], Outcome]
) -> Outcome:
    """One outcome of several clients: the one furthest from a pass decides, and speaks first.

    What a client does not complain of, but did not see either, is no part of it.
    """
    chosen = _asked(situation, client, workloads)
    if isinstance(chosen, Outcome):
        return chosen
    judged = [(name, judge(name, past)) for name, past in chosen.items()]
    seen = [one for name, one in judged if one.passed is not True or _saw(situation, chosen[name])]
    if not seen:
        return _unseen(situation, list(chosen), [one.message for _, one in judged])
    order = {False: 0, None: 1, True: 2}
    outcomes = sorted(seen, key=lambda one: order[one.passed])
    worst = outcomes[0]
    told = "; ".join(one.message for one in outcomes if one.passed is worst.passed)
    return Outcome(worst.passed, told, worst.infrastructure)


def _saw(situation: Situation, past: History) -> bool:
    """Whether a client noted anything after the last fault; else it was stopped before, or is away itself."""
    fault = situation.last_fault
    return fault is None or (past.ended is not None and past.ended >= fault[0] * SECOND)


def _unseen(situation: Situation, clients: Sequence[str], told: Sequence[str]) -> Outcome:
    at, what = situation.last_fault or (0.0, "")
    since = f"{what} at {clock(int(at * SECOND))}"
    text = f"{' and '.join(clients)} noted nothing since {since}, so nothing was shown of that"
    return unknown(f"{text}; until then: {'; '.join(told)}")


def _client(arguments: Sequence[str], place: int = 0) -> str:
    return arguments[place] if len(arguments) > place else ""


def _sentences(findings: Sequence[Finding], total: int) -> str:
    text = "; ".join(finding.message for finding in findings[:_TOLD])
    more = total - min(len(findings), _TOLD)
    return text + (f"; and {more} more" if more > 0 else "")


def _verdict(name: str, inquiry: Inquiry, holds: str) -> Outcome:
    """Proofs fail; a judge that gave up, only has doubts or saw nothing is unknown."""
    if inquiry.guilty:
        return failed(f"{name}: {_sentences(inquiry.guilty, inquiry.count)}")
    if inquiry.undecided:
        return unknown(f"{name}: {inquiry.undecided}")
    if inquiry.findings:
        return unknown(f"{name}: {_sentences(inquiry.findings, inquiry.count)}")
    if not inquiry.examined:
        return unknown(f"{name} has no {inquiry.what} to judge, so nothing was shown")
    return passed(f"{name}: {holds} over {inquiry.examined} {inquiry.what}")


def _judged(*workloads: str, judge: _Judge, holds: str) -> Callable[[Situation, Sequence[str]], Outcome]:
    def evaluate(situation: Situation, arguments: Sequence[str]) -> Outcome:
        def one(name: str, past: History) -> Outcome:
            return _verdict(name, judge(past), holds)

        return _each(situation, _client(arguments), workloads, one)

    return evaluate


# ---- outages


def _outage(kind: Kind) -> Callable[[Situation, Sequence[str]], Outcome]:
    def evaluate(situation: Situation, arguments: Sequence[str]) -> Outcome:
        def one(name: str, past: History) -> Outcome:
            return _within(name, past, kind, float(arguments[0]))

        return _each(situation, _client(arguments, 1), (), one)

    return evaluate


def _within(name: str, past: History, kind: Kind, limit: float) -> Outcome:
    """Whether the longest window is within a limit in seconds; blind time can leave that open."""
    asked = [one for one in past.operations if one.reads == (kind == "reads")]
    if not asked:
        return unknown(f"{name} asked for no {kind}, so nothing was shown")
    windows = outages(past, kind)
    window = longest(windows, kind)
    if window is None:
        served = sum(1 for one in asked if one.served)
        if not served:
            return unknown(f"{name} has no answer to any of {len(asked)} {kind} yet")
        return passed(f"{name}: no outage of {kind} in {served} answers, pace {past.pace / 1e6:.0f} ms")
    total = sum(each.seconds for each in windows)
    text = f"{name}: {_told(window)}; limit {limit:g} s"
    text += f"; {len(windows)} windows of {total:.3f} s in all" if len(windows) > 1 else ""
    surely = [each for each in windows if _least(each) > limit]
    possibly = [each for each in windows if each.end is None or _most(each) > limit]
    if surely:
        return failed(text)
    return unknown(f"{text}; {_why_open(possibly[0])}") if possibly else passed(text)


def _least(window: OutageWindow) -> float:
    return window.low if window.blind else window.seconds


def _most(window: OutageWindow) -> float:
    return window.high or window.seconds if window.blind else window.seconds


def _why_open(window: OutageWindow) -> str:
    if window.end is None:
        return "it is not over"
    return f"the client did not ask for {window.blind:.3f} s of it, so it may be longer than that or not"


def _told(window: OutageWindow) -> str:
    bounds = f"at least {window.low:.3f} s"
    bounds += f", at most {window.high:.3f} s" if window.high is not None else ""
    begin = clock(int(window.start * 1e9))
    error = f" ({window.error})" if window.error else ""
    return f"{window.kind} were away for {window.seconds:.3f} s ({bounds}) from {begin}{error} until {window.ended_by}"


# ---- rows


def _looks(situation: Situation) -> list[Look]:
    """What the nodes hold of the rows of the implicit client."""
    looks = []
    for node in rows_scope(situation):
        if node.postgres is not None and node.postgres.integrity is not None:
            writer = bool(node.postgres.writable)
            looks.append(look_at(situation.observation.at, node.node, node.postgres.integrity, writer=writer))
    return looks


def _no_lost_rows(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """No row that was acknowledged is missing, and none that surely failed is there."""

    def one(name: str, past: History) -> Outcome:
        return _rows(name, past, _looks(situation) if name == INTEGRITY else [])

    return _each(situation, _client(arguments), ("append",), one)


def _rows(name: str, past: History, looks: Sequence[Look]) -> Outcome:
    rows = durability(past, looks)
    if rows.findings:
        return failed(f"{name}: {_sentences(rows.findings, len(rows.findings))}")
    if not rows.acknowledged:
        return unknown(f"{name} has no acknowledged row, so nothing was shown")
    reads = rows.examined - len(looks)
    if not reads and not any(look.writer for look in looks):
        return unknown(f"{name}: nobody read its rows from a node that takes writes, so nothing was shown")
    text = f"{name}: all {rows.acknowledged} acknowledged rows are there"
    if rows.unknown:
        fate = "" if rows.unknown_present is None else f", {rows.unknown_present} of them are there"
        text += f"; {rows.unknown} of unknown fate{fate}"
    lagging = [f"{node} lacks {count(ranges)}: {describe(ranges)}" for node, ranges in rows.lacking.items()]
    return passed("; ".join([text, *lagging]))


# ---- writers


def _one_writer(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """No two nodes took writes at once. Clients are judged together: one may see what another does not."""
    chosen = _asked(situation, _client(arguments), ())
    if isinstance(chosen, Outcome):
        return chosen
    outcome = _verdict(
        " and ".join(chosen), writers_of(list(chosen.values())), "one node at a time took writes"
    )
    if outcome.passed and not any(_saw(situation, past) for past in chosen.values()):
        return _unseen(situation, list(chosen), [outcome.message])
    return outcome


def _check(
    name: str,
    description: str,
    evaluate: Callable[[Situation, Sequence[str]], Outcome],
    *arguments: str,
    integrity: bool = False,
) -> Check:
    return Check(
        name,
        description,
        evaluate,
        arguments=(*arguments, "client"),
        required_arguments=len(arguments),
        needs_histories=True,
        needs_integrity=integrity,
    )


CHECKS = (
    _check("no_lost_rows", "No acknowledged row was lost or came back", _no_lost_rows, integrity=True),
    _check("outage_writes", "No outage of writes was longer than this", _outage("writes"), "seconds"),
    _check("outage_reads", "No outage of reads was longer than this", _outage("reads"), "seconds"),
    _check(
        "bank_sum",
        "All accounts always sum to the same and moved as acknowledged",
        _judged("bank", judge=bank, holds="the sum held"),
    ),
    _check(
        "linearizable",
        "Registers behave as if one operation happened after the other",
        _judged("register", judge=register, holds="an order explains every answer"),
    ),
    _check(
        "serializable",
        "Transactions on lists show no anomaly that their isolation level forbids",
        _judged("list-append", judge=elle, holds="no anomaly"),
    ),
    _check(
        "no_stale_reads",
        "Every read shows what was acknowledged before it",
        _judged(
            "append",
            "register",
            "list-append",
            judge=staleness,
            holds="each shows what was acknowledged before",
        ),
    ),
    _check("one_writer", "No two nodes took writes at once", _one_writer),
)
