"""Checks about the data files: does amcheck find them sound, and is the checksum of every block right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from e2e_ansible.checks.base import Check, Outcome, Situation, unknown
from e2e_ansible.checks.nodes import Finding, blind, decide, is_running, seen, unseen_among
from e2e_ansible.checks.servers import database_names
from e2e_ansible.nodes.observation import NodeObservation
from e2e_ansible.nodes.physical import Damage, Physical

__all__ = ["CHECKS", "amcheck", "data_checksums"]

_SHOWN = 5

Judge = Callable[[str, Physical], Iterator[Finding]]


def _held(
    situation: Situation, arguments: Sequence[str], judge: Judge, sound: Callable[[str, Physical], str]
) -> Outcome:
    """Hold the data of the named node, or of each database node that runs, against a rule."""
    names = arguments[:1] or database_names(situation)
    missing = unseen_among(situation, names)
    if missing or not names:
        return missing or unknown("no node of this test is labelled database")
    asked = [node for node in situation.nodes if node.node in names]
    nodes = [node for node in asked if is_running(node) or blind(node)]
    if not nodes:
        return unknown(f"{', '.join(map(seen, asked)) or ', '.join(names)} does not run, so nothing was read")
    findings: list[Finding] = []
    for node in nodes:
        findings.extend(_findings(node, judge))
    told = [sound(node.node, node.physical) for node in nodes if node.physical]
    return decide(findings, "; ".join(told))


def _findings(node: NodeObservation, judge: Judge) -> Iterator[Finding]:
    found = node.physical
    if found is None or found.error:
        error = f": {found.error}" if found and found.error else ""
        yield Finding(f"the data of {seen(node)} were not read{error}", decided=False)
    else:
        yield from judge(node.node, found)


def _damages(name: str, damages: Sequence[Damage]) -> Iterator[Finding]:
    for damage in damages[:_SHOWN]:
        yield Finding(f"{name}: {damage}")
    if len(damages) > _SHOWN:
        yield Finding(f"{name}: and {len(damages) - _SHOWN} more")


def _amcheck(name: str, found: Physical) -> Iterator[Finding]:
    yield from _damages(name, found.damage)
    for text in found.unread:
        yield Finding(f"{name}: {text}", decided=False)
    if found.checked < found.relations or not found.relations:
        text = f"{name}: amcheck came through {found.checked} of {found.relations} relations"
        yield Finding(text, decided=False)


def amcheck(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """Every table holds what it should, and every B-tree finds all rows of its table."""
    return _held(
        situation,
        arguments,
        _amcheck,
        lambda name, found: f"{name}: {found.checked} relations of {', '.join(found.databases)} are sound",
    )


def _checksums(name: str, found: Physical) -> Iterator[Finding]:
    if found.checksums is None:
        yield Finding(f"{name} does not tell whether it has checksums", decided=False)
        return
    if not found.checksums:
        yield Finding(f"{name} has data checksums off, so a corrupted block would not be noticed")
        return
    yield from _damages(name, found.broken)
    for failures in found.failures:
        where = f"database {failures.database}" if failures.database else "shared relations"
        last = f", the last at {failures.last}" if failures.last else ""
        yield Finding(f"{name}: {where} had {failures.count} checksum failures{last}")
    if not found.read:
        yield Finding(
            f"{name}: not every block was read: {found.read_error or 'no reason given'}", decided=False
        )


def data_checksums(situation: Situation, arguments: Sequence[str]) -> Outcome:
    """Checksums are on, the server counted no failure, and every block that lies on disk has the right one."""
    return _held(
        situation,
        arguments,
        _checksums,
        lambda name, _found: f"{name}: every block was read and has the right checksum",
    )


CHECKS = (
    Check(
        "amcheck",
        "Tables and B-trees of one node, or of every running database node, are sound",
        amcheck,
        arguments=("node",),
        needs_amcheck=True,
    ),
    Check(
        "data_checksums",
        "Checksums are on, and right in every block of one node, or of every running database node",
        data_checksums,
        arguments=("node",),
        needs_amcheck=True,
    ),
)
