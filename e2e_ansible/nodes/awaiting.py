"""Waits until a node is off, has booted again, answers or has settled, and keeps the proof."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from e2e_ansible.nodes.link import Answer
from e2e_ansible.nodes.look import Powered
from e2e_ansible.nodes.observation import PowerState, Unreachable

__all__ = ["Proof", "Seen", "Until", "Wait", "await_node"]

_PROBE_SECONDS = 5.0
_SHUT_OUT_SECONDS = 60.0  # a machine in its first boot may get its keys after its sshd
_DEAD = (PowerState.OFF, PowerState.ABSENT)
_SETTLED = ("running", "degraded")


class Until(StrEnum):
    """What is waited for. SysRq makes a machine boot again, a crashed container ends: `OFF_OR_REBOOTED`."""

    OFF = "off"
    REBOOTED = "rebooted"
    OFF_OR_REBOOTED = "off_or_rebooted"
    REACHABLE = "reachable"
    SETTLED = "settled"


class Wait(BaseModel):
    """What to wait for and how long. `since` is the boot (`Identity.boot`) that must be over."""

    model_config = ConfigDict(frozen=True)

    until: Until
    act: str = ""
    since: tuple[str, int] | None = None
    deadline_seconds: float = 60.0
    interval_seconds: float = 0.5


class Seen(BaseModel):
    """The last look. `boot` is empty when the node was not reached; `shut_out` says that it lets nobody in."""

    model_config = ConfigDict(frozen=True)

    power: PowerState
    reachable: bool = False
    boot: tuple[str, int] | None = None
    note: str = ""
    shut_out: bool = False

    def __str__(self) -> str:
        boot = f", boot {self.boot[0]}/{self.boot[1]}" if self.boot else ""
        tail = f" ({self.note})" if self.note else ""
        return f"power {self.power}, {'reachable' if self.reachable else 'not reachable'}{boot}{tail}"


class Proof(BaseModel):
    """The key `e2e_proof` of a result: which act was proved, by what, and in how many seconds."""

    model_config = ConfigDict(frozen=True)

    act: str
    proved: bool
    how: str
    before: dict[str, Any]
    after: dict[str, Any]
    seconds: float


def await_node(
    wait: Wait,
    power: Callable[[], Powered],
    ask: Callable[..., Answer],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Proof:
    """Look, at least once, until the condition holds or the deadline is over. Never raises for a node.

    A node that lets nobody in is given up earlier: no waiting mends a wrong key.
    """
    begin = let_in = clock()
    while True:
        how, seen = _once(wait, power(), ask, wait.deadline_seconds - (clock() - begin))
        now = clock()
        let_in = let_in if seen.shut_out else now
        over = now - begin + wait.interval_seconds > wait.deadline_seconds
        if how or over or now - let_in >= _SHUT_OUT_SECONDS:
            return _proof(wait, how, seen, now - begin, over=over)
        sleep(wait.interval_seconds)


def _proof(wait: Wait, how: str, seen: Seen, passed: float, *, over: bool) -> Proof:
    why = f"not proved within {wait.deadline_seconds:g} s" if over else f"given up after {passed:.0f} s"
    return Proof(
        act=wait.act or wait.until.value,
        proved=bool(how),
        how=how or f"{why}; last seen: {seen}",
        before={"boot": list(wait.since)} if wait.since else {},
        after={
            "power": seen.power.value,
            "reachable": seen.reachable,
            "boot": list(seen.boot) if seen.boot else None,
        },
        seconds=round(passed, 3),
    )


def _once(wait: Wait, powered: Powered, ask: Callable[..., Answer], left: float) -> tuple[str, Seen]:
    """How the condition is proved ('' when it is not) and what was seen."""
    until, state = wait.until, powered.state
    if state is PowerState.ABSENT and until in (Until.OFF, Until.OFF_OR_REBOOTED):
        # A node that is not known cannot prove that it went off.
        return "", Seen(power=state, note=powered.reason)
    if state in _DEAD:
        off = until in (Until.OFF, Until.OFF_OR_REBOOTED)
        return ("the provider reports it off" if off else ""), Seen(power=state, note=powered.reason)
    if until is Until.OFF:
        return "", Seen(power=state, note=powered.reason)
    sections = ("system", "postgres") if until is Until.SETTLED else ()
    answer = ask(*sections, seconds=max(1.0, min(_PROBE_SECONDS, left)))
    boot = answer.identity.boot if answer.identity else None
    shut_out = answer.unreachable in (Unreachable.AUTH, Unreachable.LOCAL)
    seen = Seen(power=state, reachable=answer.reachable, boot=boot, note=answer.reason, shut_out=shut_out)
    if not answer.reachable or boot is None:
        return "", seen
    return _judged(wait, answer, seen)


def _judged(wait: Wait, answer: Answer, seen: Seen) -> tuple[str, Seen]:
    if wait.until is Until.REACHABLE:
        return "it answers", seen
    if wait.until is Until.SETTLED:
        missing = _unsettled(answer.facts)
        return ("" if missing else "its services are up"), seen.model_copy(update={"note": missing})
    if wait.since is not None and seen.boot != wait.since:
        return "it answers from another boot", seen
    return "", seen.model_copy(update={"note": "it still runs the boot that was to end"})


def _unsettled(facts: dict[str, Any]) -> str:
    """What is still missing, '' when the node has settled."""
    state = str(facts.get("system_state") or "unknown")
    if state not in _SETTLED:
        return f"system is {state}"
    postgres = facts.get("postgres") or {}
    if not postgres.get("installed") or not postgres.get("enabled"):
        return ""
    if not postgres.get("accepting"):
        return f"PostgreSQL accepts no connections: {postgres.get('error', '')}"
    if postgres.get("in_recovery") and postgres.get("receiver") != "streaming":
        return f"the standby does not stream (receiver {postgres.get('receiver') or 'none'})"
    return ""
