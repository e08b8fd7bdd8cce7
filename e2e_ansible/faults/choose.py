"""Which nodes a fault goes to: by name, or by a word that is resolved from a fresh look. Pure."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2e_ansible.errors import InfrastructureError, UsageError
from e2e_ansible.names import suggestion

__all__ = ["PREDICATES", "Candidate", "Choice", "candidate", "check_target", "choose", "fixed", "least_nodes"]

PREDICATES = ("primary", "replica", "one", "minority", "majority", "all", "random")
_LEADER = "leader"
_LEAST = {"replica": 2, "minority": 3}
_RANDOM = re.compile(r"^random(:([1-9][0-9]?))?$")


@dataclass(frozen=True)
class Candidate:
    """One node as it was just seen.

    `role` is what Patroni says that it is, '' where Patroni does not answer and None where there is none; `leader`
    is who leads by the word of this node's Patroni.
    """

    name: str
    labels: tuple[str, ...] = ()
    reachable: bool = False
    takes_writes: bool = False
    replica: bool = False
    role: str | None = None
    leader: str = ""
    why: str = ""


@dataclass(frozen=True)
class Choice:
    """The nodes that were chosen, and why these."""

    targets: tuple[str, ...]
    reason: str


def candidate(observation: Mapping[str, Any]) -> Candidate:
    """What matters of one observation: PostgreSQL says whether it is in recovery, Patroni who leads."""
    postgres = observation.get("postgres") or {}
    patroni = observation.get("patroni")
    accepts = bool(postgres.get("accepting"))
    recovers = postgres.get("in_recovery")
    return Candidate(
        name=str(observation["node"]),
        labels=tuple(observation.get("labels") or ()),
        reachable=bool(observation.get("reachable")),
        takes_writes=accepts and recovers is False,
        replica=accepts and recovers is True,
        role=None if patroni is None else str(patroni.get("role") or ""),
        leader=str((patroni or {}).get("leader") or ""),
        why=str(observation.get("reason") or postgres.get("error") or ""),
    )


def check_target(target: str, nodes: Sequence[str], labels: Sequence[str]) -> None:
    """Raise unless it is a node, a label that a node has, or one of the words.

    Raises:
        UsageError: it is nothing of that; the hint names the nearest.
    """
    label = target.removeprefix("label:")
    if target in (*nodes, *PREDICATES) or _RANDOM.match(target) or (label != target and label in labels):
        return
    known = (*nodes, *PREDICATES, *(f"label:{name}" for name in labels))
    raise UsageError(f"there is no target {target!r}", hint=suggestion(target, known))


def least_nodes(target: str) -> int:
    """How many nodes a cluster must have for this target."""
    number = _RANDOM.match(target)
    return int(number[2] or 1) if number else _LEAST.get(target, 1)


def fixed(target: str, labels: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The nodes of a target that needs no look, () for one that does. `labels` are those of each node."""
    if target == "all":
        return tuple(labels)
    if target.startswith("label:"):
        return tuple(node for node, has in labels.items() if target.removeprefix("label:") in has)
    return (target,) if target in labels else ()


def choose(target: str, candidates: Sequence[Candidate], seed: int | None = None) -> Choice:
    """Resolve a target. The same look and seed give the same choice.

    Raises:
        InfrastructureError: no node, or not enough nodes, are what is asked for; never is another one taken.
    """
    names = {each.name: each.labels for each in candidates}
    named = fixed(target, names)
    if named:
        return Choice(named, f"{target}: named")
    number = _RANDOM.match(target)
    if number:
        return _some(int(number[2] or 1), candidates, target, seed)
    if target not in _BY_LOOK:
        raise InfrastructureError(f"no node is {target!r}: {_seen(candidates)}")
    return _BY_LOOK[target](candidates, seed)


def _primary(candidates: Sequence[Candidate], seed: int | None) -> Choice:
    writers = [each.name for each in candidates if each.takes_writes]
    if len(writers) != 1:
        what = f"{', '.join(writers)} all take writes" if writers else "no node takes writes"
        raise InfrastructureError(f"the primary cannot be told: {what}: {_seen(candidates)}")
    says = _patroni_agrees(writers[0], candidates)
    return Choice((writers[0],), f"primary: {says}PostgreSQL on {writers[0]} is not in recovery")


def _patroni_agrees(writer: str, candidates: Sequence[Candidate]) -> str:
    """Its word for the reason, '' without Patroni; of two that say something else none is believed."""
    if all(each.role is None for each in candidates):
        return ""
    leaders = {each.name for each in candidates if each.role == _LEADER}
    leaders |= {each.leader for each in candidates if each.leader}
    if leaders != {writer}:
        what = f"{', '.join(sorted(leaders))} leads" if leaders else "nobody leads"
        text = f"Patroni says that {what}, and PostgreSQL takes writes on {writer}"
        raise InfrastructureError(f"the primary cannot be told: {text}: {_seen(candidates)}")
    return f"Patroni says that {writer} leads, and "


def _replica(candidates: Sequence[Candidate], seed: int | None) -> Choice:
    replicas = [each.name for each in candidates if each.replica and each.role != ""]
    if not replicas:
        raise InfrastructureError(f"no node is a replica: {_seen(candidates)}")
    torn = [each.name for each in candidates if each.replica and each.role == _LEADER]
    torn += [each.name for each in candidates if each.takes_writes and each.role not in (None, "", _LEADER)]
    if torn:
        text = f"Patroni and PostgreSQL disagree on {', '.join(torn)}"
        raise InfrastructureError(f"a replica cannot be told: {text}: {_seen(candidates)}")
    picked = replicas[0] if seed is None else random.Random(seed).choice(replicas)
    return Choice((picked,), f"replica: {picked} of {', '.join(replicas)} in recovery{_by(seed)}")


def _one(candidates: Sequence[Candidate], seed: int | None) -> Choice:
    return _some(1, candidates, "one", seed)


def _minority(candidates: Sequence[Candidate], seed: int | None) -> Choice:
    count = (len(candidates) - 1) // 2
    if not count:
        raise InfrastructureError(f"{len(candidates)} nodes have no minority")
    return _some(count, candidates, "minority", seed)


def _majority(candidates: Sequence[Candidate], seed: int | None) -> Choice:
    return _some(len(candidates) // 2 + 1, candidates, "majority", seed)


def _some(count: int, candidates: Sequence[Candidate], target: str, seed: int | None) -> Choice:
    """By chance if there is a seed or `random` is asked for, else the first ones; of those that answer."""
    there = [each.name for each in candidates if each.reachable]
    if len(there) < count:
        raise InfrastructureError(f"{target} means {count} nodes that answer: {_seen(candidates)}")
    drawn = seed is not None or target.startswith("random")
    picked = random.Random(seed or 0).sample(there, count) if drawn else there[:count]
    chosen = tuple(name for name in there if name in picked)
    reason = f"{target}: {count} of {', '.join(there)} that answer{_by((seed or 0) if drawn else None)}"
    return Choice(chosen, reason)


_BY_LOOK: Mapping[str, Callable[[Sequence[Candidate], int | None], Choice]] = {
    "primary": _primary,
    "replica": _replica,
    "one": _one,
    "minority": _minority,
    "majority": _majority,
}


def _by(seed: int | None) -> str:
    return "" if seed is None else f", by seed {seed}"


def _seen(candidates: Sequence[Candidate]) -> str:
    return (
        "; ".join(f"{each.name} {_state(each)}{_word(each)}" for each in candidates)
        or "no node was looked at"
    )


def _state(each: Candidate) -> str:
    if not each.reachable:
        return f"does not answer ({each.why})" if each.why else "does not answer"
    if each.takes_writes:
        return "takes writes"
    return "is a replica" if each.replica else f"has no PostgreSQL that answers ({each.why or 'none'})"


def _word(each: Candidate) -> str:
    if each.role is None or not each.reachable:
        return ""
    return f", by Patroni {each.role}" if each.role else ", and its Patroni does not answer"
