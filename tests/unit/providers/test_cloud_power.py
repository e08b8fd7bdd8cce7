"""Power by a cloud: nothing is done twice, a machine on its way is waited for, and what it cost is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from memory_cloud import MemoryCloud, Vm, provider, trouble

from e2e_ansible.errors import ProviderError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec, Operation, PowerResult
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

OFF = (Operation.OFF, Operation.HARD_OFF)


@pytest.fixture
def machine(tmp_path: Path) -> tuple[CloudProvider, MemoryCloud]:
    """One machine that runs."""
    made, cloud = provider(tmp_path)
    made.prepare(DeploymentSpec(id="demo", nodes=(NodeSpec(name="n11"),)))
    made.create("demo")
    cloud.calls.clear()
    return made, cloud


Machine = tuple[CloudProvider, MemoryCloud]


def power(machine: Machine, operation: Operation, seconds: float = 20) -> PowerResult:
    return machine[0].power("demo", "n11", operation, seconds)


def between(machine: Machine, state: str, then: str) -> None:
    vm = machine[1].account.vms["i-1"]
    vm.state, vm.then, vm.looks = state, then, 2


@pytest.mark.parametrize("operation", OFF)
def test_off_and_on_again(machine: Machine, operation: Operation) -> None:
    off = power(machine, operation)
    assert (off.changed, off.before, off.after) == (True, PowerState.ON, PowerState.OFF)
    on = power(machine, Operation.ON)
    assert (on.changed, on.before, on.after) == (True, PowerState.OFF, PowerState.ON)


@pytest.mark.parametrize("operation", OFF)
def test_twice_is_once(machine: Machine, operation: Operation) -> None:
    power(machine, operation)
    again = power(machine, operation)
    assert (again.changed, again.after, again.detail) == (False, PowerState.OFF, "already stopped")
    assert machine[1].calls["power"] == 1
    power(machine, Operation.ON)
    assert power(machine, Operation.ON).changed is False
    assert machine[1].calls["power"] == 2


@pytest.mark.parametrize("operation", [Operation.REBOOT, Operation.RESET, Operation.NMI])
def test_a_reboot_is_done_each_time(machine: Machine, operation: Operation) -> None:
    assert [power(machine, operation).changed for _ in range(2)] == [True, True]
    assert machine[1].calls["power"] == 2


def test_a_reboot_of_a_machine_that_is_off_is_the_providers_error(machine: Machine) -> None:
    power(machine, Operation.OFF)
    with pytest.raises(CloudError, match="it is stopped"):
        power(machine, Operation.REBOOT)
    assert machine[1].calls["power"] == 2


def test_one_that_goes_off_by_itself_is_waited_for_and_not_asked_twice(machine: Machine) -> None:
    between(machine, "stopping", "stopped")
    done = power(machine, Operation.OFF)
    assert (done.changed, done.before, done.after) == (False, PowerState.UNKNOWN, PowerState.OFF)


def test_one_that_starts_is_stopped_when_it_has(machine: Machine) -> None:
    between(machine, "starting", "running")
    done = power(machine, Operation.HARD_OFF)
    assert (done.changed, done.before, done.after) == (True, PowerState.UNKNOWN, PowerState.OFF)


def test_one_that_stays_between_two_states_is_an_error_by_the_deadline(machine: Machine) -> None:
    between(machine, "migrating", "broken")
    with pytest.raises(CloudError, match="it is migrating"):
        power(machine, Operation.OFF, 0.03)


def test_a_deadline_tells_the_state(machine: Machine) -> None:
    def sticky(call: str) -> None:
        if call == "pending":
            between(machine, "stopping", "broken")

    machine[1].on_call = sticky
    said = r"off of n11 \(demo-\w+-n11\) was not done after 0.03 s; memory says it is stopping"
    with pytest.raises(ProviderError, match=said):
        power(machine, Operation.OFF, 0.03)


def test_one_that_vanishes_is_told(machine: Machine) -> None:
    def vanish(call: str) -> None:
        if call == "pending":
            machine[1].account.vms.clear()

    machine[1].on_call = vanish
    with pytest.raises(ProviderError, match=r"n11 \(demo-\w+-n11\) is gone"):
        power(machine, Operation.OFF)


def test_one_that_is_not_there_is_told(machine: Machine) -> None:
    machine[1].account.vms.clear()
    with pytest.raises(ProviderError, match="deployment demo has no machine for n11"):
        power(machine, Operation.ON)


def copied(machine: Machine, name: str = "") -> Vm:
    """Another machine of the account with the same tags, as a copy made by hand has them."""
    account = machine[1].account
    first = account.vms["i-1"]
    order = first.order.model_copy(update={"machine": name or first.order.machine})
    account.vms["i-9"] = replace(first, id="i-9", order=order)
    return account.vms["i-9"]


@pytest.mark.parametrize("operation", Operation)
def test_of_two_with_the_same_tags_none_is_powered(machine: Machine, operation: Operation) -> None:
    copied(machine)
    with pytest.raises(ProviderError, match=r"-n11 \(i-1\) and .*-n11 \(i-9\) both have the tags of n11"):
        power(machine, operation)
    assert machine[1].calls["power"] == 0


def test_one_that_is_about_to_be_gone_is_not_in_the_way(machine: Machine) -> None:
    gone = copied(machine)
    gone.state, gone.then, gone.looks = "deleting", "gone", 1000
    assert power(machine, Operation.OFF).after is PowerState.OFF
    assert machine[1].account.vms["i-1"].state == "stopped"


def test_one_that_is_not_the_recorded_one_is_not_powered(machine: Machine) -> None:
    copied(machine, "somebodys")
    del machine[1].account.vms["i-1"]
    said = r"somebodys \(i-9\) has the tags of n11, which is recorded as demo-\w+-n11"
    with pytest.raises(ProviderError, match=said):
        power(machine, Operation.HARD_OFF)
    assert machine[1].calls["power"] == 0


def test_trouble_that_passes_does_not_matter(machine: Machine) -> None:
    for call in ("machines", "power", "pending"):
        machine[1].plan(call, trouble(Trouble.TRANSIENT), trouble(Trouble.TRANSIENT))
    assert power(machine, Operation.OFF).after is PowerState.OFF


def test_an_operation_that_failed_is_told(machine: Machine) -> None:
    machine[1].plan("pending", trouble(Trouble.OTHER, "the action ended in an error"))
    with pytest.raises(CloudError, match="the action ended in an error"):
        power(machine, Operation.OFF)


def test_an_address_that_changed_is_told(machine: Machine) -> None:
    machine[1].account.new_address = True
    off = power(machine, Operation.OFF)
    assert off.side_effects == ("the address 198.51.100.1 was given back",)
    on = power(machine, Operation.ON)
    assert on.side_effects == ("the address is 203.0.113.2",)
    assert (off.address_changed, on.address_changed) == (True, True)


def test_an_address_that_changes_in_one_operation_is_told(machine: Machine) -> None:
    def change(call: str) -> None:
        if call == "pending":
            machine[1].account.vms["i-1"].address = "203.0.113.9"

    machine[1].on_call = change
    done = power(machine, Operation.RESET)
    assert done.side_effects == ("the address changed from 198.51.100.1 to 203.0.113.9",)


def test_an_address_that_stays_is_no_side_effect(machine: Machine) -> None:
    done = power(machine, Operation.REBOOT)
    assert (done.side_effects, done.address_changed) == ((), False)


@pytest.mark.parametrize("operation", OFF)
def test_a_local_disk_that_is_lost_is_told(machine: Machine, operation: Operation) -> None:
    machine[1].account.local_disk = True
    assert "its local disk is lost" in power(machine, operation).side_effects
    assert "its local disk is lost" not in power(machine, Operation.ON).side_effects
