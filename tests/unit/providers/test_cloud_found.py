"""What is there is found by its tags, with a record and without, and removed from wherever it is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from memory_cloud import Account, MemoryCloud, provider, trouble

from e2e_ansible.errors import CleanUpError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec, Operation
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.machine import NODE_TAG
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

Two = tuple[CloudProvider, MemoryCloud, CloudProvider, MemoryCloud]


@pytest.fixture
def two(tmp_path: Path) -> Two:
    """A deployment, seen by the controller that made it and by another one."""
    account = Account()
    here, cloud = provider(tmp_path / "here", account)
    spec = DeploymentSpec(
        id="demo",
        nodes=(NodeSpec(name="n11", labels=("database", "site_a")), NodeSpec(name="n12")),
        owner="/somewhere/runs/20261121-081500-a1b2c3",
    )
    here.prepare(spec)
    here.create("demo")
    there, other = provider(tmp_path / "there", account)
    return here, cloud, there, other


def retag(cloud: MemoryCloud, number: int, **tags: str) -> None:
    vm = cloud.account.vms[f"i-{number}"]
    vm.order = vm.order.model_copy(update={"tags": {**vm.order.tags, **tags}})


def test_nodes_are_the_same_from_anywhere_but_for_the_login(two: Two) -> None:
    here, _, there, _ = two
    mine, theirs = here.nodes("demo"), there.nodes("demo")
    login = {
        "ansible_user",
        "ansible_ssh_private_key_file",
        "ansible_ssh_common_args",
        "e2e_client_password_file",
    }
    for one, other in zip(mine, theirs, strict=True):
        assert one.model_dump(exclude={"variables"}) == other.model_dump(exclude={"variables"})
        assert {k: v for k, v in one.variables.items() if k not in login} == {
            k: v for k, v in other.variables.items() if k not in login
        }
    assert mine[0].labels == ("database", "site_a")


def test_a_stopped_node_stays_listed(two: Two) -> None:
    here, *_ = two
    here.power("demo", "n12", Operation.OFF, 1)
    assert [(node.name, node.power) for node in here.nodes("demo")] == [
        ("n11", PowerState.ON),
        ("n12", PowerState.OFF),
    ]


def test_one_that_is_recorded_and_gone_is_absent(two: Two) -> None:
    here, cloud, there, _ = two
    del cloud.account.vms["i-1"]
    assert [(node.name, node.power) for node in here.nodes("demo")] == [
        ("n11", PowerState.ABSENT),
        ("n12", PowerState.ON),
    ]
    assert [node.name for node in there.nodes("demo")] == ["n12"]


def test_one_that_is_tagged_and_not_recorded_is_listed(two: Two) -> None:
    here, cloud, *_ = two
    retag(cloud, 2, **{NODE_TAG: "n99"})
    assert [(node.name, node.power) for node in here.nodes("demo")] == [
        ("n11", PowerState.ON),
        ("n12", PowerState.ABSENT),
        ("n99", PowerState.ON),
    ]


def test_one_that_is_tagged_and_not_recorded_keeps_nobody_from_creating(two: Two) -> None:
    here, cloud, *_ = two
    retag(cloud, 2, **{NODE_TAG: "n99"})
    assert here.create("demo") is True
    assert [node.name for node in here.nodes("demo")] == ["n11", "n12", "n99"]


def test_a_copy_with_the_tags_of_a_node_does_not_hide_it(two: Two) -> None:
    here, cloud, *_ = two
    vm = cloud.account.vms["i-1"]
    copied = vm.order.model_copy(update={"machine": "somebodys"})
    cloud.account.vms["i-9"] = replace(vm, id="i-9", address="203.0.113.9", order=copied)
    assert [(node.name, node.address) for node in here.nodes("demo")] == [
        ("n11", "198.51.100.1"),
        ("n12", "198.51.100.2"),
    ]


def hurry(made: CloudProvider) -> None:
    """Give up soon what is not removed."""
    made._pace = replace(made._pace, whole=0.1)


@pytest.mark.parametrize("name", ["", "{{ lookup('pipe', 'id') }}", "-oProxyCommand=id", "n 12", "../x"])
def test_a_tag_that_names_no_host_makes_no_node_but_is_removed(two: Two, name: str) -> None:
    here, cloud, there, _ = two
    retag(cloud, 2, **{NODE_TAG: name})
    assert [node.name for node in there.nodes("demo")] == ["n11"]
    assert here.destroy("demo") is True
    assert not cloud.account.vms


def test_the_key_of_a_host_is_kept_under_a_name_that_no_other_machine_has(two: Two, tmp_path: Path) -> None:
    here, _, there, _ = two

    def options(of: CloudProvider, node: int) -> str:
        return str(of.nodes("demo")[node].variables["ansible_ssh_common_args"])

    def alias(text: str) -> str:
        return next(word for word in text.split() if word.startswith("HostKeyAlias="))

    mine, theirs = options(here, 0), options(there, 0)
    assert alias(mine) == alias(theirs) != alias(options(here, 1))
    assert f"UserKnownHostsFile={tmp_path}/here/clouds/memory/demo/known_hosts" in mine
    assert "UserKnownHostsFile" not in theirs
    assert "StrictHostKeyChecking=accept-new" in mine
    assert "StrictHostKeyChecking=accept-new" in theirs
    here.destroy("demo")
    here.prepare(DeploymentSpec(id="demo", nodes=(NodeSpec(name="n11"),)))
    here.create("demo")
    assert alias(options(here, 0)) != alias(mine)
    assert (tmp_path / "here/clouds/memory/demo/known_hosts").read_text() == ""


def test_an_address_that_changed_does_not_change_the_name_of_the_key(two: Two) -> None:
    here, cloud, *_ = two
    cloud.account.new_address = True

    def login() -> tuple[object, object]:
        variables = here.nodes("demo")[0].variables
        return variables["ansible_host"], variables["ansible_ssh_common_args"]

    before = login()
    here.power("demo", "n11", Operation.OFF, 1)
    here.power("demo", "n11", Operation.ON, 1)
    after = login()
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_deployments_are_those_recorded_and_those_tagged(two: Two, tmp_path: Path) -> None:
    here, _, there, _ = two
    there.prepare(DeploymentSpec(id="planned", nodes=(NodeSpec(name="n11"),)))
    assert list(there.deployments()) == ["demo", "planned"]
    assert list(here.deployments()) == ["demo"]


def test_what_is_deployed_is_told_with_its_owner_and_times(two: Two) -> None:
    here, _, there, _ = two
    (mine,), (theirs,) = here.deployed(), there.deployed()
    assert mine.deployment == theirs.deployment == "demo"
    assert mine.run == theirs.run == "20261121-081500-a1b2c3"
    assert (mine.folder, theirs.folder) == ("/somewhere/runs/20261121-081500-a1b2c3", "")
    assert mine.created == 1_000_000
    assert mine.expires > 1_000_000
    assert [thing.partition(" ")[0].partition("-")[0] for thing in mine.things] == [
        "demo",
        "demo",
        "disk",
        "disk",
    ]


def test_a_disk_without_its_machine_is_deployed_as_well(two: Two) -> None:
    _, cloud, there, _ = two
    cloud.account.vms.clear()
    assert [each.things for each in there.deployed()] == [("disk disk-1", "disk disk-2")]
    assert there.destroy("demo") is True
    assert not cloud.account.resources


@pytest.mark.parametrize("name", ["", "../../x", "Demo", "{{ 1 }}"])
def test_a_tag_that_is_no_id_is_somebody_elses(two: Two, name: str) -> None:
    _, cloud, there, _ = two
    retag(cloud, 2, **{"e2e-deployment": name})
    del cloud.account.resources["disk-2"]
    assert list(there.deployments()) == ["demo"]
    assert [each.deployment for each in there.deployed()] == ["demo"]
    there.destroy("demo")
    assert [vm.id for vm in cloud.account.vms.values()] == ["i-2"]


def test_a_strange_expiry_is_none(two: Two) -> None:
    _, cloud, there, _ = two
    for number in (1, 2):
        retag(cloud, number, **{"e2e-expires": "²"})
    cloud.account.resources.clear()
    assert [each.expires for each in there.deployed()] == [0]


def test_destroy_twice(two: Two, tmp_path: Path) -> None:
    here, cloud, *_ = two
    cloud.account.lingering = 3
    assert [here.destroy("demo"), here.destroy("demo")] == [True, False]
    assert (cloud.account.vms, cloud.account.resources) == ({}, {})
    assert list((tmp_path / "here/clouds/memory").glob("*demo*")) == []


def test_destroy_without_a_record(two: Two) -> None:
    _, cloud, there, _ = two
    assert [there.destroy("demo"), there.destroy("demo")] == [True, False]
    assert (cloud.account.vms, cloud.account.resources) == ({}, {})


def test_destroy_leaves_what_is_not_its_own(two: Two) -> None:
    here, cloud, there, _ = two
    there.prepare(DeploymentSpec(id="demo-2", nodes=(NodeSpec(name="n11"),)))
    there.create("demo-2")
    here.destroy("demo")
    assert [vm.order.deployment for vm in cloud.account.vms.values()] == ["demo-2"]


def test_doubles_are_removed_all(two: Two) -> None:
    here, cloud, *_ = two
    retag(cloud, 2, **{NODE_TAG: "n11"})
    here.destroy("demo")
    assert not cloud.account.vms


@pytest.mark.parametrize("left", ["i-1", "disk-2"])
def test_what_is_left_is_named_and_its_record_stays(two: Two, tmp_path: Path, left: str) -> None:
    here, cloud, *_ = two
    hurry(here)
    cloud.account.immortal = {left}
    named = (
        r"disk disk-2 \(disk-2 is in use\)"
        if left == "disk-2"
        else r"demo-\w+-n11 \(deleting\)|n11 \(running\)"
    )
    with pytest.raises(CleanUpError, match=named) as said:
        here.destroy("demo")
    assert "reap --provider memory --deployment demo" in said.value.hint
    assert list(here.deployments()) == ["demo"]
    cloud.account.immortal = set()
    assert provider(tmp_path / "here", cloud.account)[0].destroy("demo") is True


def test_what_may_not_be_removed_is_told_at_once(two: Two) -> None:
    here, cloud, *_ = two
    cloud.plan("delete", *[trouble(Trouble.FORBIDDEN, "no right to delete")] * 10_000)
    with pytest.raises(CleanUpError, match=r"n11 \(no right to delete\), .*n12 \(no right to delete\)"):
        here.destroy("demo")
    assert cloud.calls["delete"] == 2


def test_what_is_refused_for_now_is_tried_again(two: Two) -> None:
    here, cloud, *_ = two
    cloud.plan("delete", *[trouble(Trouble.CONFLICT, "it is being copied")] * 5)
    cloud.plan("remove", *[trouble(Trouble.CONFLICT, "it is being copied")] * 5)
    assert here.destroy("demo") is True
    assert (cloud.account.vms, cloud.account.resources) == ({}, {})


def test_one_that_may_not_be_asked_is_an_error_and_nothing_is_forgotten(two: Two) -> None:
    here, cloud, *_ = two
    cloud.plan("machines", trouble(Trouble.FORBIDDEN, "wrong key"))
    with pytest.raises(CloudError, match="wrong key"):
        here.destroy("demo")
    assert here.destroy("demo") is True
    assert not cloud.account.vms


def test_trouble_that_passes_does_not_keep_it(two: Two) -> None:
    here, cloud, *_ = two
    for call in ("machines", "delete", "resources", "remove"):
        cloud.plan(call, trouble(Trouble.TRANSIENT), None, trouble(Trouble.TRANSIENT))
    assert here.destroy("demo") is True
    assert (cloud.account.vms, cloud.account.resources) == ({}, {})
