"""The gate of one run: its tests take what they cost before they begin, and give it back when their nodes are gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from e2e_ansible.engine.processes import marked
from e2e_ansible.errors import E2EError, InfrastructureError
from e2e_ansible.providers.base import Provider
from e2e_ansible.quota.amounts import Amounts, Budget
from e2e_ansible.quota.holder import lives, me, pid_of
from e2e_ansible.quota.ledger import Changes, Claim, Held, Ledger, Waiting
from e2e_ansible.quota.turn import Answer, answer

__all__ = ["Gate", "Granted", "give_back", "settle"]

_LOOK_SECONDS = 5.0
_LISTED = 4


@dataclass(frozen=True)
class Granted:
    """What a test got, and for how many seconds it had waited."""

    amounts: Amounts
    waited: float


@dataclass
class Gate:
    """What stands between the tests of one run and the nodes. `say` is told once of each wait: the test and why.

    With `nested` whoever waits has nodes that it gives back only later.
    """

    ledger: Ledger
    budget: Budget
    provider: Callable[[str], Provider]
    say: Callable[[str, str], object]
    nested: bool = False
    clock: Callable[[], float] = time.monotonic
    _since: dict[str, float] = field(default_factory=dict)
    _granted: dict[str, Granted] = field(default_factory=dict)
    _looked: float = float("-inf")

    def may_begin(self, claim: Claim) -> bool:
        """Take what a test costs, all or nothing; or keep its place among those who wait. Ask again and again.

        Raises:
            InfrastructureError: it will never be its turn before a person does something; or the ledger is broken.
        """
        first = claim.deployment not in self._since
        since = self._since.setdefault(claim.deployment, self.clock())
        found = self._ask(claim)
        if not found.granted and self._may_look(first, found):
            settle(self.ledger, self.provider)
            found = self._ask(claim)
        if found.granted:
            self._granted[claim.deployment] = Granted(claim.amounts, self.clock() - since)
            return True
        if found.stuck:
            self.withdraw(claim)
            raise InfrastructureError(_stuck(claim, found), hint=_what_to_do(found.holders))
        if first:
            self.say(claim.test, _waits(claim, found))
        return False

    def withdraw(self, claim: Claim) -> None:
        """Wait no more for a test."""
        self._since.pop(claim.deployment, None)
        self.ledger.withdraw(claim.deployment)

    def take_over(self, claims: Sequence[Claim]) -> None:
        """What a run that died had reserved is held by this process, which goes on with it."""
        self.ledger.take([claim.deployment for claim in claims])

    def granted(self, deployment: str) -> Granted | None:
        """What a deployment got from this gate."""
        return self._granted.get(deployment)

    def over(self, deployment: str, *, gone: bool) -> Held | None:
        """Its nodes are `gone`, so what it had is given back; else that stays reserved. None if it had nothing."""
        if gone:
            return self.ledger.release(deployment, "its nodes are gone")
        return self.ledger.keep(deployment)

    def _ask(self, claim: Claim) -> Answer:
        with self.ledger.changing() as changes:
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
        if not (first or found.stuck) and self.clock() - self._looked < _LOOK_SECONDS:
            return False
        self._looked = self.clock()
        return True


def _again(changes: Changes, own: Held) -> Answer:
    """What is reserved for the same deployment already was, by this run before it died."""
    if own.holder != me() and lives(own.holder):
        text = f"process {pid_of(own.holder)} has the nodes of {own.claim.deployment} already"
        raise InfrastructureError(text, hint="wait for its end")
    if own.holder != me() or own.kept:
        changes.add("take", own, me(), "its run goes on")
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
    except (E2EError, OSError):
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


def _waits(claim: Claim, found: Answer) -> str:
    reasons = [
        *found.lacking,
        *(f"{each.claim.test} of {each.claim.run} waits before it" for each in found.ahead[:1]),
    ]
    whose = f"; they are held by {_named(found.holders)}" if found.holders else ""
    return f"waits for its turn: {', '.join(reasons)}{whose}"


def _stuck(claim: Claim, found: Answer) -> str:
    lacking = ", ".join(found.lacking)
    return f"it cannot begin: {lacking}; what it lacks is held by {_named(found.holders)}, and nobody gives that back"


def _what_to_do(holders: Sequence[Held]) -> str:
    runs = list(dict.fromkeys(held.claim.run for held in holders))
    return (
        f"look: e2e-ansible quota; remove: e2e-ansible destroy {runs[0]}"
        if runs
        else "look: e2e-ansible quota"
    )


def _named(holders: Sequence[Held]) -> str:
    named = [f"{each.claim.test} of {each.claim.run}" for each in holders[:_LISTED]]
    more = len(holders) - _LISTED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
