"""Waiting for a node: proofs, deadlines, and what no waiting mends. The clock only goes on when somebody sleeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat

import pytest

from e2e_ansible.nodes.awaiting import Proof, Until, Wait, await_node
from e2e_ansible.nodes.guard import Identity
from e2e_ansible.nodes.link import Answer
from e2e_ansible.nodes.look import Powered
from e2e_ansible.nodes.observation import PowerState, Unreachable

ON = Powered(state=PowerState.ON)
OFF = Powered(state=PowerState.OFF)
ABSENT = Powered(state=PowerState.ABSENT)
UNKNOWN = Powered(state=PowerState.UNKNOWN)


def boot(number: int) -> Identity:
    return Identity(
        machine_id="m" * 32,
        boot_id=f"b{number}",
        boot_time=number,
        kernel="6.1",
        pid1_start=number,
        pid_namespace="pid:[1]",
    )


def up(number: int = 1, **facts: object) -> Answer:
    return Answer(reachable=True, identity=boot(number), facts=facts)


def away(kind: Unreachable = Unreachable.TIMEOUT) -> Answer:
    return Answer(reachable=False, unreachable=kind, reason=f"said {kind}")


@dataclass
class World:
    """What each look finds; the last finding stays."""

    powers: Iterator[Powered]
    answers: Iterator[Answer]
    now: float = 0
    asked: list[float] = field(default_factory=list)

    def wait(self, until: Until, seconds: float = 60, since: tuple[str, int] | None = None) -> Proof:
        wait = Wait(until=until, since=since, deadline_seconds=seconds, interval_seconds=1)
        return await_node(wait, lambda: next(self.powers), self._ask, lambda: self.now, self._sleep)

    def _ask(self, *sections: str, seconds: float) -> Answer:
        self.asked.append(seconds)
        return next(self.answers)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


def world(powers: list[Powered], answers: list[Answer]) -> World:
    return World(chain(powers, repeat(powers[-1])), chain(answers, repeat(answers[-1])))


PROVED: list[tuple[Until, list[Powered], list[Answer], str]] = [
    (Until.OFF, [ON, ON, OFF], [away()], "the provider reports it off"),
    (Until.OFF_OR_REBOOTED, [ON, OFF], [up(1)], "the provider reports it off"),
    (Until.OFF_OR_REBOOTED, [ON], [up(1), away(), up(2)], "it answers from another boot"),
    (Until.REBOOTED, [ON], [up(1), away(), up(2)], "it answers from another boot"),
    (Until.REACHABLE, [ON], [away(), away(Unreachable.REFUSED), up(1)], "it answers"),
    (Until.REACHABLE, [UNKNOWN], [up(1)], "it answers"),
    (
        Until.SETTLED,
        [ON],
        [up(1, system_state="starting"), up(1, system_state="running")],
        "its services are up",
    ),
]


@pytest.mark.parametrize(("until", "powers", "answers", "how"), PROVED)
def test_what_is_seen_proves_it(until: Until, powers: list[Powered], answers: list[Answer], how: str) -> None:
    proof = world(powers, answers).wait(until, since=boot(1).boot)
    assert (proof.proved, proof.how) == (True, how)


UNPROVED: list[tuple[Until, list[Powered], list[Answer], str]] = [
    (Until.OFF, [ON], [away()], "power on"),
    (Until.OFF, [UNKNOWN], [away()], "power unknown"),
    (Until.OFF, [ABSENT], [away()], "power absent"),
    (Until.OFF_OR_REBOOTED, [ABSENT], [up(2)], "power absent"),
    (Until.OFF_OR_REBOOTED, [ON], [away()], "said timeout"),
    (Until.REBOOTED, [OFF], [up(2)], "power off"),
    (Until.REBOOTED, [ON], [up(1)], "it still runs the boot that was to end"),
    (Until.REACHABLE, [ON], [away()], "said timeout"),
    (Until.SETTLED, [ON], [up(1, system_state="starting")], "system is starting"),
]


@pytest.mark.parametrize(("until", "powers", "answers", "words"), UNPROVED)
def test_what_is_not_seen_within_the_deadline_is_not_proved(
    until: Until, powers: list[Powered], answers: list[Answer], words: str
) -> None:
    there = world(powers, answers)
    proof = there.wait(until, 90, since=boot(1).boot)
    assert not proof.proved
    assert proof.how.startswith("not proved within 90 s; last seen: ")
    assert words in proof.how
    assert 88 < there.now <= 90


@pytest.mark.parametrize("kind", [Unreachable.AUTH, Unreachable.LOCAL])
def test_a_node_that_lets_nobody_in_is_given_up_after_a_minute(kind: Unreachable) -> None:
    there = world([ON], [away(), away(kind)])
    proof = there.wait(Until.REACHABLE, 600)
    assert not proof.proved
    assert proof.how.startswith("given up after 60 s; last seen: ")
    assert f"said {kind}" in proof.how


@pytest.mark.parametrize("between", [away(), up(1)])
def test_being_shut_out_now_and_then_is_waited_for(between: Answer) -> None:
    answers = [*[away(Unreachable.AUTH)] * 50, between, *[away(Unreachable.AUTH)] * 50, up(2)]
    proof = world([ON], answers).wait(Until.REBOOTED, 600, since=boot(1).boot)
    assert (proof.proved, proof.how) == (True, "it answers from another boot")


def test_it_looks_once_even_without_time() -> None:
    assert world([ON], [up(1)]).wait(Until.REACHABLE, 0).proved
    assert not world([ON], [away()]).wait(Until.REACHABLE, 0).proved


def test_a_look_has_no_more_time_than_is_left() -> None:
    there = world([ON], [away()])
    there.wait(Until.REACHABLE, 8)
    assert there.asked == [5, 5, 5, 5, 4, 3, 2, 1, 1]
