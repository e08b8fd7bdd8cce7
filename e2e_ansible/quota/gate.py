"""The gate of one run: its tests take what they cost before they begin, and give it back when their nodes are gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from e2e_ansible.engine.processes import marked
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.providers.base import Provider
from e2e_ansible.quota.amounts import Amounts, Budget
from e2e_ansible.quota.changes import Changes
from e2e_ansible.quota.holder import lives, me, pid_of
from e2e_ansible.quota.ledger import Ledger
from e2e_ansible.quota.reservation import Claim, Held, Waiting
from e2e_ansible.quota.turn import Answer, answer
from e2e_ansible.quota.words import cannot_begin, waits, was_left, ways_out

__all__ = ["Gate", "Granted", "give_back", "settle"]

_T = TypeVar("_T")
_Change = Callable[[Changes], object]
_LOOK_SECONDS = 5.0
#: So long a run waits, all its tests together, for a person to go on with a run that was killed, or to destroy it.
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Granted:
    """What a test got, and for how many seconds it had waited."""

    amounts: Amounts
    waited: float


@dataclass
class Gate:
    """What stands between the tests of one run and the nodes. `say` is told once of each wait: the test and why.

    With `nested` whoever waits has nodes that it gives back only later. `patience` is for how many seconds in all its
    tests wait for what only a person can give back, because a run that was killed holds it.
    """

    ledger: Ledger
    budget: Budget
    provider: Callable[[str], Provider]
    say: Callable[[str, str], object]
    nested: bool = False
    clock: Callable[[], float] = time.monotonic
    patience: float = _PATIENCE_SECONDS
    _since: dict[str, float] = field(default_factory=dict)
    _granted: dict[str, Granted] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _owed: dict[str, _Change] = field(default_factory=dict)
    _looked: float = float("-inf")
    _patient_until: float | None = None
    _told: set[tuple[str, bool]] = field(default_factory=set)

    def may_begin(self, claim: Claim) -> bool:
        """Take what a test costs, all or nothing; or keep its place among those who wait. Ask again and again.

        Raises:
            InfrastructureError: it will never be its turn before a person does something, and has no more patience; or
                the ledger is broken. Then it waits no more, so it keeps nobody else waiting.
        """
        try:
            return self._may_begin(claim)
        except BaseException:
            with suppress(InfrastructureError):
                self.withdraw(claim)
            raise

    def _may_begin(self, claim: Claim) -> bool:
        first = claim.deployment not in self._since
        since = self._since.setdefault(claim.deployment, self.clock())
        found = self._ask(claim)
        if not found.granted and self._may_look(first, found):
            settle(self.ledger, self.provider)
            found = self._ask(claim)
        if found.granted:
            self._granted[claim.deployment] = Granted(claim.amounts, self.clock() - since)
            if not self._impatient:
                self._patient_until = None
            return True
        if found.stuck:
            self._bear(found)
        if (told := (claim.deployment, found.stuck)) not in self._told:
            self._told.add(told)
            self.say(claim.test, self._bearing(found) if found.stuck else waits(claim, found))
        return False

    def _bear(self, found: Answer) -> None:
        """Wait on for what only a person can give back; what was kept on purpose nobody is about to give back.

        Raises:
            InfrastructureError: there is no more patience.
        """
        if self._patient_until is None and any(was_left(held) for held in found.holders):
            self._patient_until = self.clock() + self.patience
        if self._patient_until is None or self._impatient:
            raise InfrastructureError(cannot_begin(found), hint=ways_out(found.holders))

    def _bearing(self, found: Answer) -> str:
        left = (self._patient_until or 0.0) - self.clock()
        return f"{cannot_begin(found)}; it waits for {left:.0f} s at most: {ways_out(found.holders)}"

    @property
    def _impatient(self) -> bool:
        """Whether it has waited long enough for a person."""
        return self._patient_until is not None and self.clock() >= self._patient_until

    def withdraw(self, claim: Claim) -> None:
        """Wait no more for a test."""
        self._since.pop(claim.deployment, None)
        self._enter(claim.deployment, lambda changes: changes.withdraw(claim.deployment))

    def take_over(self, claims: Sequence[Claim]) -> None:
        """What a run that died had reserved is held by this process, which goes on with it."""
        self._taken.update(self.ledger.take([claim.deployment for claim in claims]))

    def has_taken_over(self, claim: Claim) -> bool:
        """Whether a run that died had reserved this. Such a test begins before any that may have to wait for it."""
        return claim.deployment in self._taken

    def granted(self, deployment: str) -> Granted | None:
        """What a deployment got from this gate."""
        return self._granted.get(deployment)

    def over(self, deployment: str, *, gone: bool) -> Held | None:
        """Its nodes are `gone`, so what it had is given back; else that stays reserved. None if it had nothing."""
        if gone:
            return self._enter(deployment, lambda changes: changes.release(deployment, "its nodes are gone"))
        return self._enter(deployment, lambda changes: changes.keep(deployment))

    def _enter(self, deployment: str, change: Callable[[Changes], _T]) -> _T | None:
        """Change the ledger. What it does not take now it gets before this gate asks again.

        Else this process would wait for what it has itself: as long as it lives, nobody gives that back.
        """
        if not self.ledger.file.exists():
            return None
        try:
            with self.ledger.changing() as changes:
                return change(changes)
        except InfrastructureError:
            self._owed[deployment] = change
            raise

    def _ask(self, claim: Claim) -> Answer:
        owed = dict(self._owed)
        with self.ledger.changing() as changes:
            for change in owed.values():
                change(changes)
            found = self._answer(claim, changes)
        for deployment in owed:
            self._owed.pop(deployment, None)
        return found

    def _answer(self, claim: Claim, changes: Changes) -> Answer:
        held = changes.held()
        own = next((each for each in held if each.claim.deployment == claim.deployment), None)
        if own is not None:
            return _again(changes, own)
        changes.enqueue(claim, self.budget, nested=self.nested)
        waiting = _living(changes)
        mine = next(each for each in waiting if each.claim.deployment == claim.deployment)
        found = answer(mine, held, waiting)
        if found.granted:
            changes.withdraw(claim.deployment)
            changes.reserve(claim)
        return found

    def _may_look(self, first: bool, found: Answer) -> bool:
        """Whether to ask the providers what the dead have left: at first, before giving up, and now and then."""
        if all(held.alive for held in found.holders):
            return False
        gives_up = found.stuck and (self._patient_until is None or self._impatient)
        if not (first or gives_up) and self.clock() - self._looked < _LOOK_SECONDS:
            return False
        self._looked = self.clock()
        return True


def _again(changes: Changes, own: Held) -> Answer:
    """What is reserved for the same deployment already was, by this run before it died."""
    if own.holder != me() and lives(own.holder):
        text = f"process {pid_of(own.holder)} has the nodes of {own.claim.deployment} already"
        raise InfrastructureError(text, hint="wait for its end")
    changes.take(own)
    return Answer(True)


def _living(changes: Changes) -> list[Waiting]:
    """Who waits; a ticket of the dead goes."""
    every = changes.waiting()
    for each in every:
        if not lives(each.holder):
            changes.withdraw(each.claim.deployment)
    return [each for each in every if lives(each.holder)]


def settle(ledger: Ledger, provider: Callable[[str], Provider]) -> list[Held]:
    """Give back what nobody has any more: its run does not hold it, lives no more, and its nodes are not there.

    A provider that cannot be asked decides nothing. Returns what was given back.
    """
    there: dict[str, Sequence[str] | None] = {}
    done = []
    for held in ledger.state()[0]:
        name = held.claim.provider
        if held.alive or marked(held.claim.run):
            continue
        if name not in there:
            there[name] = _deployments(provider, name)
        known = there[name]
        gone = known is not None and held.claim.deployment not in known
        if gone and ledger.release_unchanged(held, "nothing of it is left"):
            done.append(held)
    return done


def _deployments(provider: Callable[[str], Provider], name: str) -> Sequence[str] | None:
    try:
        return provider(name).deployments()
    except Exception:  # of a provider from elsewhere as well
        return None


def give_back(deployment: str, ledger: Ledger | None = None) -> str:
    """The nodes of a deployment were removed. Returns why that could not be entered, '' if it was.

    Whoever looks next gives it back then, so this is no reason to fail.
    """
    try:
        (ledger or Ledger()).release(deployment, "its nodes were removed")
    except InfrastructureError as error:
        return str(error)
    return ""
