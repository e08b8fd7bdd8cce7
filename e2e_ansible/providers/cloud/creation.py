"""Makes all machines of a deployment or none, and removes them. The ledger is written before each call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import CleanUpError, E2EError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import NodeSpec, Operation
from e2e_ansible.providers.cloud.found import by_node, found, listed, refuse_strangers
from e2e_ansible.providers.cloud.machine import Cloud, Machine, Order, Place, Resource
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.record import CloudDeployment
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, patiently

__all__ = ["Creation", "await_unseen", "destroy"]


class Creation:
    """One attempt to bring a deployment to life."""

    def __init__(self, cloud: Cloud, deployment: CloudDeployment, pace: Pace) -> None:
        self._cloud = cloud
        self._deployment = deployment
        self._pace = pace
        self._deadline = Deadline(pace.whole)
        self._begun: list[Order] = []

    def run(self, reserve: Callable[[Place, int], None], ordered: Callable[[], None] = lambda: None) -> bool:
        """Start the machines that are off and make those that are missing; whether there was anything to do.

        `reserve` is called with a place and a number before anything is made there; it raises when there is no
        quota. `ordered` is called when the provider has heard of all of them. Where a place has no capacity, what
        was made there is removed before the next place is tried.

        Raises:
            ProviderError: what is there is not what was recorded; nothing was made.
            CloudError: not all could be made; nothing that was made by this is left.
            CleanUpError: not all could be made, and something of it could not be removed.
        """
        await_unseen(self._cloud, self._deployment, self._pace)
        there = self._there()
        nodes = self._deployment.record.nodes
        started = self._start([node.name for node in nodes if node.name in there])
        missing = [node for node in nodes if node.name not in there]
        if missing:
            self._make_somewhere(missing, reserve, ordered)
        return bool(missing) or started

    @property
    def _name(self) -> str:
        return self._deployment.record.id

    def _there(self) -> dict[str, Machine]:
        """What there is of the recorded nodes."""
        nodes = {node.name for node in self._deployment.record.nodes}
        machines = [each for each in listed(self._cloud, self._name, self._pace) if each.node in nodes]
        refuse_strangers(machines, self._deployment.record)
        return by_node(machines)

    def _make_somewhere(
        self, nodes: Sequence[NodeSpec], reserve: Callable[[Place, int], None], ordered: Callable[[], None]
    ) -> None:
        places = self._deployment.record.places
        for place in places:
            orders = [
                self._deployment.record.order(node, place, self._deployment.public_key) for node in nodes
            ]
            try:
                reserve(place, len(orders))
                self._make(orders)
                ordered()
                self._await(orders)
            except Exception as error:  # whatever it is, half a deployment is worse
                self._undo(error)
                if not _is_full(error) or place is places[-1]:
                    raise
            else:
                return

    def _make(self, orders: Sequence[Order]) -> None:
        for order in orders:
            self._begun.append(order)
            self._deployment.note("creating", order)
            patiently(lambda order=order: self._once(order), Deadline(self._pace.call))  # type: ignore[misc]
            self._deployment.note("created", order)

    def _once(self, order: Order) -> None:
        """A call whose answer was lost may have been heard: look before it is made again, and long enough."""
        if order.machine in self._deployment.unanswered():
            await_unseen(self._cloud, self._deployment, self._pace)
            if order.node in found(self._cloud, self._name, self._pace):
                return
        self._deployment.note("asked", order)
        try:
            self._cloud.create(order)
        except CloudError as error:
            if error.trouble is not Trouble.TRANSIENT:
                self._deployment.note("refused", order, error=str(error))
            raise

    def _await(self, orders: Sequence[Order]) -> None:
        """Until all are on and have an address, by the provider's word."""
        last: dict[str, Machine] = {}

        def ready() -> bool:
            last.clear()
            last.update(self._there())
            _refuse_failed([last.get(order.node) for order in orders])
            return all(_is_ready(last.get(order.node)) for order in orders)

        if not self._deadline.wait_for(ready, interval=self._pace.look):
            raise CloudError(self._late([order.node for order in orders], last), Trouble.OTHER)

    def _undo(self, error: Exception) -> None:
        orders, self._begun = self._begun, []
        if not orders:
            return
        self._tell("failed", orders, str(error))
        try:
            await_unseen(self._cloud, self._deployment, self._pace)
            left = _delete(self._cloud, self._name, self._pace, only={order.node for order in orders})
        except E2EError as trouble:
            left = [f"{order.machine} ({trouble})" for order in orders]
        if left:
            raise CleanUpError(
                f"{error}; and of what was made {', '.join(left)} could not be removed",
                hint=f"e2e-ansible reap --provider {self._cloud.name} --deployment {self._name}",
            ) from error
        self._tell("removed", orders)

    def _tell(self, act: str, orders: Sequence[Order], error: str = "") -> None:
        """A disk that is full keeps nobody from removing machines."""
        with suppress(OSError):
            for order in orders:
                self._deployment.note(act, order, error=error)

    def _start(self, nodes: Sequence[str]) -> bool:
        """Start those of the nodes that are off, and wait for all of them; whether one was off."""
        asked: set[str] = set()
        now: dict[str, Machine] = {}

        def on() -> bool:
            now.clear()
            now.update(found(self._cloud, self._name, self._pace))
            _refuse_failed([now.get(node) for node in nodes])
            for machine in [now[node] for node in nodes if node in now and node not in asked]:
                if machine.power is PowerState.OFF:
                    patiently(
                        lambda m=machine: self._cloud.power(m, Operation.ON),  # type: ignore[misc]
                        Deadline(self._pace.call),
                    )
                    asked.add(machine.node)
            return all(_is_ready(now.get(node)) for node in nodes)

        if nodes and not self._deadline.wait_for(on, interval=self._pace.look):
            raise CloudError(self._late(nodes, now), Trouble.OTHER)
        return bool(asked)

    def _late(self, nodes: Sequence[str], now: Mapping[str, Machine]) -> str:
        late = [f"{node} is {_told(now.get(node))}" for node in nodes if not _is_ready(now.get(node))]
        return f"not all machines were on after {self._pace.whole:g} s: {', '.join(late)}"


def await_unseen(cloud: Cloud, deployment: CloudDeployment, pace: Pace) -> None:
    """Until machines that were asked for and not heard of again are seen, or were given the time for it."""
    asked = deployment.unanswered()
    if not asked:
        return
    left = min(max(asked.values()) + pace.lag - time.time(), pace.lag)  # a clock may have been set

    def seen() -> bool:
        machines = found(cloud, deployment.record.id, pace).values()
        return set(asked) <= {machine.machine for machine in machines}

    if left > 0:
        Deadline(left).wait_for(seen, interval=pace.look)


def destroy(cloud: Cloud, deployment: str, pace: Pace) -> bool:
    """Remove everything that carries the deployment's tag; whether anything was there.

    Raises:
        CleanUpError: something is left.
    """
    there = bool(found(cloud, deployment, pace)) or bool(
        patiently(lambda: cloud.resources(deployment), Deadline(pace.call))
    )
    left = _delete(cloud, deployment, pace) if there else []
    if left:
        raise CleanUpError(
            f"of deployment {deployment} of provider {cloud.name} {', '.join(left)} could not be removed",
            hint=f"e2e-ansible reap --provider {cloud.name} --deployment {deployment}",
        )
    return there


def _delete(cloud: Cloud, deployment: str, pace: Pace, only: set[str] | None = None) -> list[str]:
    """Ask for the end of machines, wait for it, then remove what else there is. Returns what is left, and why.

    With `only`, machines of other nodes stay, and so does everything else while one of them lives.
    """
    deadline = Deadline(pace.whole)
    reasons: dict[str, CloudError] = {}

    def chosen() -> list[Machine]:
        machines = found(cloud, deployment, pace)
        return [machine for node, machine in machines.items() if only is None or node in only]

    def others() -> Sequence[Resource]:
        return patiently(lambda: cloud.resources(deployment), Deadline(pace.call))

    def gone() -> bool:
        for machine in [each for each in chosen() if not each.ending]:
            _try(reasons, machine.id, lambda m=machine: cloud.delete(m), pace)  # type: ignore[misc]
        return _is_over(reasons, [machine.id for machine in chosen()])

    def cleared() -> bool:
        for resource in others():
            _try(reasons, resource.id, lambda r=resource: cloud.remove(r), pace)  # type: ignore[misc]
        return _is_over(reasons, [resource.id for resource in others()])

    deadline.wait_for(gone, interval=pace.look)
    left = [f"{each.machine} ({reasons.get(each.id) or each.state})" for each in chosen()]
    if left or (only is not None and found(cloud, deployment, pace)):
        return left
    deadline.wait_for(cleared, interval=pace.look)
    return [f"{each.kind} {each.id} ({reasons.get(each.id) or 'still there'})" for each in others()]


def _try(reasons: dict[str, CloudError], key: str, call: Callable[[], None], pace: Pace) -> None:
    """A removal that is refused now may be allowed after another one; why it was is told when it is still there."""
    try:
        patiently(call, Deadline(pace.call))
    except CloudError as error:
        reasons[key] = error


def _is_over(reasons: Mapping[str, CloudError], left: Sequence[str]) -> bool:
    """Nothing is left, or only what we have no right to remove: no waiting mends that."""
    return all(key in reasons and reasons[key].trouble is Trouble.FORBIDDEN for key in left)


def _is_ready(machine: Machine | None) -> bool:
    return machine is not None and machine.power is PowerState.ON and bool(machine.reached_at)


def _refuse_failed(machines: Sequence[Machine | None]) -> None:
    """Nobody waits for a machine that its provider has given up."""
    for machine in machines:
        if machine is not None and machine.failure:
            raise CloudError(f"{machine.node} ({machine.machine}) failed: {machine.failure}", machine.trouble)


def _told(machine: Machine | None) -> str:
    if machine is None:
        return "not there"
    waits = machine.power is PowerState.ON and not machine.reached_at
    return f"{machine.state}, without an address" if waits else machine.state


def _is_full(error: Exception) -> bool:
    return isinstance(error, CloudError) and error.trouble is Trouble.CAPACITY
