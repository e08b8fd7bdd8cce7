"""Machines are made all or none, in the first place that has room, and each is in the ledger before it is asked for."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from memory_cloud import Account, MemoryCloud, provider, trouble

from e2e_ansible.errors import CleanUpError, ProviderError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec, Operation
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.machine import Place
from e2e_ansible.providers.cloud.record import CloudDeployment, CloudStore
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.system import locked

NODES = ("n11", "n12", "n13")
PLACES = {"zones": ["a", "b"], "instance_type": ["small", "big"]}


def prepared(home: Path, made: CloudProvider, **parameters: object) -> CloudDeployment:
    spec = DeploymentSpec(
        id="demo", nodes=tuple(NodeSpec(name=name) for name in NODES), parameters=parameters
    )
    made.prepare(spec)
    return CloudStore("memory", home).load("demo")


def acts(record: CloudDeployment) -> list[str]:
    return [f"{act.act} {act.node}" for act in record.ledger()]


def names(cloud: MemoryCloud) -> list[str]:
    return sorted(vm.order.node for vm in cloud.account.vms.values())


def test_all_are_made_and_are_on(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    record = prepared(tmp_path, made)
    assert made.create("demo") is True
    assert [(node.name, node.power) for node in made.nodes("demo")] == [(n, PowerState.ON) for n in NODES]
    assert acts(record) == [f"{act} {n}" for n in NODES for act in ("creating", "asked", "created")]
    assert made.create("demo") is False
    assert cloud.calls["create"] == 3


def test_without_its_line_on_the_disk_no_machine_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, cloud = provider(tmp_path)
    prepared(tmp_path, made)
    monkeypatch.setattr(CloudDeployment, "note", lambda *_, **__: None)
    with pytest.raises(AssertionError):
        made.create("demo")
    assert not cloud.account.vms


def test_the_line_is_synced_before_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, cloud = provider(tmp_path)
    prepared(tmp_path, made)
    happened: list[str] = []
    sync = os.fsync

    def synced(descriptor: int) -> None:
        happened.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    monkeypatch.setattr("os.fsync", synced)
    cloud.on_call = lambda call: happened.append(call) if call == "create" else None
    made.create("demo")
    first = happened.index("create")
    assert happened[first - 2 : first] == ["ledger.jsonl", "ledger.jsonl"]


@pytest.mark.parametrize("kth", [0, 1, 2])
def test_a_place_that_is_full_at_the_kth_is_left_for_the_next(tmp_path: Path, kth: int) -> None:
    made, cloud = provider(tmp_path)
    record = prepared(tmp_path, made, **PLACES)
    cloud.plan("create", *[None] * kth, trouble(Trouble.CAPACITY))
    most = 0

    def watch(call: str) -> None:
        nonlocal most
        most = max(most, len(cloud.account.vms))

    cloud.on_call = watch
    made.create("demo")
    assert {vm.order.place for vm in cloud.account.vms.values()} == {Place(zone="b", size="small")}
    assert names(cloud) == list(NODES)
    assert most <= 3
    assert len(cloud.account.resources) == 3
    assert [line for line in acts(record) if line.startswith("removed")] == [
        f"removed {node}" for node in NODES[: kth + 1]
    ]


def test_places_are_tried_in_order_and_each_has_tokens_of_its_own(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    record = prepared(tmp_path, made, **PLACES)
    places = record.record.places
    assert [(place.size, place.zone) for place in places] == [
        ("small", "a"),
        ("small", "b"),
        ("big", "a"),
        ("big", "b"),
    ]
    cloud.account.full = set(places[:3])
    made.create("demo")
    assert {vm.order.place for vm in cloud.account.vms.values()} == {places[3]}
    tried = [(act.size, act.zone) for act in record.ledger() if act.act == "refused"]
    assert tried == [("small", "a"), ("small", "b"), ("big", "a")]
    tokens = {record.record.order(record.record.nodes[0], place, "").token for place in places}
    assert len(tokens) == 4


def test_with_no_place_left_nothing_is_left(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    prepared(tmp_path, made, zones=["a", "b"])
    cloud.plan("create", None, trouble(Trouble.CAPACITY), None, None, trouble(Trouble.CAPACITY, "none in b"))
    with pytest.raises(CloudError, match="none in b"):
        made.create("demo")
    assert (cloud.account.vms, cloud.account.resources) == ({}, {})


def test_another_trouble_is_not_tried_elsewhere(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    prepared(tmp_path, made, zones=["a", "b"])
    cloud.plan("create", None, trouble(Trouble.FORBIDDEN, "no right to create"))
    with pytest.raises(CloudError, match="no right to create"):
        made.create("demo")
    assert (cloud.account.vms, cloud.account.resources, cloud.calls["create"]) == ({}, {}, 2)


def test_an_undo_that_fails_names_what_is_left(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, whole=0.1)
    record = prepared(tmp_path, made, zones=["a", "b"])
    cloud.account.immortal = {"i-1"}
    cloud.plan("create", None, trouble(Trouble.CAPACITY, "full"))
    with pytest.raises(
        CleanUpError, match=r"full; and of what was made demo-\w+-n11 .* could not be"
    ) as said:
        made.create("demo")
    assert "reap --provider memory --deployment demo" in said.value.hint
    assert names(cloud) == ["n11"]
    assert "removed n11" not in acts(record)


def test_an_undo_that_cannot_look_names_all_that_was_asked_for(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    prepared(tmp_path, made)

    def forbid(call: str) -> None:
        if call == "machines" and cloud.calls["create"] == 2:
            raise trouble(Trouble.FORBIDDEN, "the key has expired")

    cloud.on_call = forbid
    cloud.plan("create", None, trouble(Trouble.OTHER))
    with pytest.raises(CleanUpError, match=r"-n11 \(the key has expired\), .*-n12 \(the key has expired\)"):
        made.create("demo")


def test_an_error_that_is_none_of_the_clouds_is_undone_as_well(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    prepared(tmp_path, made)
    cloud.plan("create", None, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        made.create("demo")
    assert (cloud.account.vms, cloud.account.resources) == ({}, {})


def test_a_full_disk_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, cloud = provider(tmp_path)
    prepared(tmp_path, made)
    note = CloudDeployment.note

    def noting(self: CloudDeployment, act: str, order: object, error: str = "") -> None:
        if cloud.calls["create"]:
            raise OSError(errno.ENOSPC, "No space left on device")
        note(self, act, order, error)  # type: ignore[arg-type]

    monkeypatch.setattr(CloudDeployment, "note", noting)
    with pytest.raises(ProviderError, match=r"could not be created: .*No space left"):
        made.create("demo")
    assert (cloud.account.vms, cloud.account.resources) == ({}, {})


def test_a_lost_answer_makes_no_double(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    record = prepared(tmp_path, made)
    cloud.plan("create", None, (trouble(Trouble.TRANSIENT), True))
    made.create("demo")
    assert names(cloud) == list(NODES)
    assert cloud.calls["create"] == 3
    assert acts(record).count("asked n12") == 1


def test_a_call_that_was_not_heard_is_made_again(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    prepared(tmp_path, made)
    cloud.plan("create", trouble(Trouble.TRANSIENT), trouble(Trouble.TRANSIENT), None)
    cloud.plan("machines", trouble(Trouble.TRANSIENT), None, trouble(Trouble.TRANSIENT))
    made.create("demo")
    assert names(cloud) == list(NODES)
    assert cloud.calls["create"] == 5


def test_a_machine_whose_answer_was_lost_is_waited_for_before_it_is_made_again(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, lag=5)
    prepared(tmp_path, made)
    cloud.account.unseen = 3
    cloud.plan("create", (KeyboardInterrupt(), True))
    with pytest.raises(KeyboardInterrupt):
        made.create("demo")
    assert names(cloud) == ["n11"]
    made.create("demo")
    assert names(cloud) == list(NODES)


def test_a_lost_answer_makes_no_double_where_machines_are_listed_late(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, lag=5)
    record = prepared(tmp_path, made)
    cloud.account.unseen = 3
    cloud.plan("create", None, (trouble(Trouble.TRANSIENT), True))
    made.create("demo")
    assert names(cloud) == list(NODES)
    assert acts(record).count("asked n12") == 1


def test_a_double_is_removed_with_the_rest(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    prepared(tmp_path, made)

    def double(call: str) -> None:
        vms = cloud.account.vms
        if call == "machines" and len(vms) == 3:
            vms["i-9"] = replace(vms["i-2"], id="i-9")

    cloud.on_call = double
    with pytest.raises(ProviderError, match="both have the tags of n12"):
        made.create("demo")
    assert (cloud.account.vms, cloud.account.resources) == ({}, {})


def test_what_another_controller_made_under_the_same_id_is_not_taken(tmp_path: Path) -> None:
    account = Account()
    first, cloud = provider(tmp_path / "here", account)
    prepared(tmp_path / "here", first)
    first.create("demo")
    second, other = provider(tmp_path / "there", account)
    prepared(tmp_path / "there", second)
    del account.vms["i-2"]
    with pytest.raises(ProviderError, match=r"has the tags of n11, which is recorded as demo-\w+-n11"):
        second.create("demo")
    assert (names(cloud), other.calls["create"]) == (["n11", "n13"], 0)


def test_a_machine_that_is_listed_late_is_undone_as_well(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, call=0, lag=5)
    prepared(tmp_path, made)
    cloud.account.unseen = 3
    cloud.plan("create", (trouble(Trouble.TRANSIENT, "no answer"), True))
    with pytest.raises(CloudError, match="no answer"):
        made.create("demo")
    assert (cloud.account.vms, cloud.account.resources) == ({}, {})


def test_trouble_that_stays_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, call=0.1)
    prepared(tmp_path, made)
    cloud.plan("create", None, *[trouble(Trouble.TRANSIENT, "503", pause=0.02)] * 50)
    with pytest.raises(CloudError, match="503"):
        made.create("demo")
    assert (cloud.account.vms, cloud.account.resources) == ({}, {})


def test_one_that_never_runs_is_told_and_all_are_removed(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, whole=0.3)
    prepared(tmp_path, made)
    cloud.account.stuck = {"n12"}
    with pytest.raises(CloudError, match=r"on after 0.3 s: .*n12 is starting"):
        made.create("demo")
    assert (cloud.account.vms, cloud.account.resources) == ({}, {})


def test_only_what_is_missing_is_made_and_only_that_is_undone(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    prepared(tmp_path, made)
    made.create("demo")
    del cloud.account.vms["i-2"]
    cloud.plan("create", trouble(Trouble.OTHER))
    with pytest.raises(CloudError):
        made.create("demo")
    assert names(cloud) == ["n11", "n13"]
    made.create("demo")
    assert names(cloud) == list(NODES)


def test_one_that_is_off_is_started_and_one_on_its_way_is_waited_for(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path)
    prepared(tmp_path, made)
    made.create("demo")
    made.power("demo", "n11", Operation.OFF, 1)
    vm = next(vm for vm in cloud.account.vms.values() if vm.order.node == "n12")
    vm.state, vm.then, vm.looks = "stopping", "stopped", 2
    assert made.create("demo") is True
    assert {node.power for node in made.nodes("demo")} == {PowerState.ON}


def test_one_that_cannot_be_started_keeps_the_missing_from_being_made(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, whole=0.3)
    prepared(tmp_path, made)
    made.create("demo")
    del cloud.account.vms["i-2"]
    cloud.account.vms["i-1"].state, cloud.account.vms["i-1"].then = "stopping", "broken"
    with pytest.raises(CloudError, match="n11 is stopping"):
        made.create("demo")
    assert names(cloud) == ["n11", "n13"]


def test_a_machine_without_a_public_address_is_reached_by_its_own(tmp_path: Path) -> None:
    made, _ = provider(tmp_path)
    prepared(tmp_path, made, public_address=False)
    made.create("demo")
    node = made.nodes("demo")[0]
    assert (node.address, node.variables["ansible_host"]) == ("10.0.0.1", "10.0.0.1")


def test_one_that_is_to_have_a_public_address_is_not_ready_without(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, whole=0.3)
    prepared(tmp_path, made)

    def take_away(call: str) -> None:
        for vm in cloud.account.vms.values():
            vm.address = ""

    cloud.on_call = take_away
    with pytest.raises(CloudError, match="n11 is running, without an address"):
        made.create("demo")
    assert not cloud.account.vms


def test_what_was_not_prepared_is_not_made(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, Account())
    with pytest.raises(ProviderError, match="demo is not known here"):
        made.create("demo")
    assert not cloud.calls


def test_one_process_at_a_time(tmp_path: Path) -> None:
    made, cloud = provider(tmp_path, whole=0.05)
    record = prepared(tmp_path, made)
    with locked(record.folder, 1):
        for act in (made.create, made.destroy):
            with pytest.raises(ProviderError, match="held by another process"):
                act("demo")
    assert not cloud.calls
