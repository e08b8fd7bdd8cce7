"""A `Cloud` in memory: an account with state, a quota, places that are full, and trouble that a test orders.

It is what the base of all providers is tested with, so it is strict: a machine is only made when its line is on the
disk, an operation is only taken in a state that allows it, and what is asked for happens some looks later.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Finding, Operation
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.machine import DEPLOYMENT_TAG, Machine, Order, Pending, Place, Resource
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["Account", "MemoryCloud", "Vm", "provider", "trouble"]

FAST = Pace(call=5, whole=10, look=0.001, lag=0.02)

_STATES = {"running": PowerState.ON, "stopped": PowerState.OFF}


@dataclass
class Vm:
    """A machine of the account. `looks` is how often it is seen in `state` before it is in `then`."""

    order: Order
    id: str
    address: str = ""
    state: str = "starting"
    then: str = "running"
    looks: int = 1
    unseen: int = 0


@dataclass
class Account:
    """What the provider has. Several clouds may be over one account, as several controllers are."""

    vms: dict[str, Vm] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    quota: int | None = None
    full: set[Place] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)  # nodes that never run
    immortal: set[str] = field(default_factory=set)  # ids that are not removed
    new_address: bool = False  # a machine that is started gets another one
    local_disk: bool = False
    unseen: int = 0  # looks before a new machine is listed
    lingering: int = 0  # looks before a machine that is deleted is gone
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


def trouble(kind: Trouble, text: str = "", pause: float = 0.001) -> CloudError:
    """An error as a provider's module raises it."""
    return CloudError(text or f"told: {kind}", kind, pause_seconds=pause)


class MemoryCloud:
    """One controller's view of an account.

    `plans[call]` are troubles for the next calls of that name, in order: an error before the provider has heard, a
    pair of an error and True for one after it has (a lost answer), or None for no trouble. `on_call` sees every call.
    """

    name = "memory"
    user = "admin"
    image = "debian-12"
    size = "small"

    def __init__(self, account: Account | None = None, ledger: Callable[[str], Path] | None = None) -> None:
        self.account = account or Account()
        self.plans: dict[str, deque[CloudError | BaseException | tuple[BaseException, bool] | None]] = {}
        self.calls: Counter[str] = Counter()
        self.on_call: Callable[[str], None] = lambda call: None
        self._ledger = ledger

    def plan(self, call: str, *troubles: BaseException | tuple[BaseException, bool] | None) -> None:
        """What becomes of the next calls of this name."""
        self.plans[call] = deque(troubles)

    def findings(self) -> Sequence[Finding]:
        """It is always ready."""
        return [Finding(name="memory", ok=True, detail="it is there")]

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`. Every look moves time on."""
        with self._call("machines"):
            listed = []
            for vm in list(self.account.vms.values()):
                if vm.unseen:
                    vm.unseen -= 1
                    continue
                self._move(vm)
                if vm.id in self.account.vms:
                    listed.append(self._machine(vm))
        return [each for each in listed if each.deployment == (deployment or each.deployment)]

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """See `Cloud.resources`."""
        with self._call("resources"):
            found = list(self.account.resources.values())
        return [each for each in found if not deployment or each.tags[DEPLOYMENT_TAG] == deployment]

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """See `Cloud.remaining`."""
        with self._call("remaining"):
            quota = self.account.quota
        return None if quota is None else quota - len(self.account.vms)

    def create(self, order: Order) -> None:
        """See `Cloud.create`. The line of the ledger must be on the disk."""
        if self._ledger:
            text = self._ledger(order.deployment).read_text()
            assert f'"act":"creating","machine":"{order.machine}"' in text, text
        with self._call("create"):
            if order.place in self.account.full:
                raise trouble(Trouble.CAPACITY, f"no {order.place.size} left in {order.place.zone}")
            if self.account.quota is not None and len(self.account.vms) >= self.account.quota:
                raise trouble(Trouble.QUOTA)
            number = next(self.account.numbers)
            stuck = order.node in self.account.stuck
            vm = Vm(order, f"i-{number}", f"198.51.100.{number % 250}", then="broken" if stuck else "running")
            vm.unseen = self.account.unseen
            self.account.vms[vm.id] = vm
            self.account.resources[f"disk-{number}"] = Resource(
                kind="disk", id=f"disk-{number}", tags=order.tags, created=1_000_000 + number
            )

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`."""
        with self._call("delete"):
            vm = self.account.vms.get(machine.id)
            if vm and vm.state != "deleting" and machine.id not in self.account.immortal:
                vm.state, vm.then, vm.looks = "deleting", "gone", self.account.lingering

    def remove(self, resource: Resource) -> None:
        """See `Cloud.remove`. A disk in use is not removed."""
        with self._call("remove"):
            number = resource.id.partition("-")[2]
            if resource.id in self.account.immortal or f"i-{number}" in self.account.vms:
                raise trouble(Trouble.CONFLICT, f"{resource.id} is in use")
            self.account.resources.pop(resource.id, None)

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`."""
        with self._call("power"):
            vm = self.account.vms.get(machine.id)
            if vm is None:
                raise trouble(Trouble.MISSING)
            self._operate(vm, operation)

        def done() -> bool:
            with self._call("pending"):
                self._move(vm)
                return vm.state == vm.then

        return done

    def _operate(self, vm: Vm, operation: Operation) -> None:
        wanted = "running" if operation is Operation.ON else "stopped"
        if operation in (Operation.REBOOT, Operation.RESET, Operation.NMI):
            if vm.state != "running":
                raise trouble(Trouble.CONFLICT, f"it is {vm.state}")
            return
        if vm.state not in _STATES:
            raise trouble(Trouble.CONFLICT, f"it is {vm.state}")
        vm.state, vm.then, vm.looks = ("starting" if wanted == "running" else "stopping"), wanted, 1
        if wanted == "running" and self.account.new_address:
            vm.address = f"203.0.113.{next(self.account.numbers) % 250}"

    def _move(self, vm: Vm) -> None:
        if vm.state == vm.then:
            return
        if vm.looks:
            vm.looks -= 1
        elif vm.then == "gone":
            self.account.vms.pop(vm.id, None)
        elif vm.then != "broken":
            vm.state = vm.then

    def _machine(self, vm: Vm) -> Machine:
        return Machine(
            id=vm.id,
            machine=vm.order.machine,
            power=_STATES.get(vm.state, PowerState.UNKNOWN),
            state=vm.state,
            address=vm.address if vm.state == "running" and not _is_private(vm.order) else "",
            private_address="10.0.0.1",
            place=vm.order.place,
            tags=vm.order.tags,
            ending=vm.state == "deleting",
            created=1_000_000,
            local_disk=self.account.local_disk,
        )

    def _call(self, name: str) -> _Call:
        self.calls[name] += 1
        self.on_call(name)
        plan = self.plans.get(name)
        return _Call(plan.popleft() if plan else None)


class _Call:
    """Raises what was planned: at the beginning, or when the provider has done it."""

    def __init__(self, planned: BaseException | tuple[BaseException, bool] | None) -> None:
        self._planned = planned

    def __enter__(self) -> None:
        if isinstance(self._planned, BaseException):
            raise self._planned

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None and isinstance(self._planned, tuple):
            raise self._planned[0]


def provider(home: Path, account: Account | None = None, **pace: float) -> tuple[CloudProvider, MemoryCloud]:
    """A provider over a cloud in memory, and that cloud."""
    folder = home / "clouds" / "memory"
    cloud = MemoryCloud(account, lambda deployment: folder / deployment / "ledger.jsonl")
    return CloudProvider(cloud, home, replace(FAST, **pace)), cloud


def _is_private(order: Order) -> bool:
    return order.settings.get("public_address") is False
