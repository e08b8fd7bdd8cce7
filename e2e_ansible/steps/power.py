"""The play of the role `node_power`; shared by the steps that stop and start nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from e2e_ansible.steps.base import CompiledStep, play
from e2e_ansible.steps.judgement import Judgement
from e2e_ansible.verdict import Verdict

__all__ = ["DEADLINE_SECONDS", "start", "stop"]

DEADLINE_SECONDS = 1200


def stop(nodes: Sequence[str], *, title: str) -> CompiledStep:
    """Ask the nodes to power off; the provider proves that each is off."""
    judgement = Judgement(proofs=tuple(nodes), disconnects=tuple(nodes))
    return _power("off", nodes, title, judgement, takes_away=tuple(nodes))


def start(nodes: Sequence[str], *, title: str) -> CompiledStep:
    """Power the nodes on and wait until each answers and has settled."""
    judgement = Judgement(proofs=tuple(nodes), unproved=Verdict.FAIL)
    return _power("on", nodes, title, judgement, brings_back=tuple(nodes))


def _power(
    operation: Literal["on", "off"],
    nodes: Sequence[str],
    title: str,
    judgement: Judgement,
    *,
    takes_away: tuple[str, ...] = (),
    brings_back: tuple[str, ...] = (),
) -> CompiledStep:
    role = {"role": "node_power", "vars": {"node_power_operation": operation}}
    return CompiledStep(
        plays=[play(title, nodes, roles=[role])],
        hosts=tuple(nodes),
        deadline_seconds=DEADLINE_SECONDS,
        judgement=judgement,
        takes_away=takes_away,
        brings_back=brings_back,
    )
