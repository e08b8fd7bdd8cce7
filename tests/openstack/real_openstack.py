"""Servers of a real nova with a real keystone, placement, glance and neutron, by the SDK over sockets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e_ansible.errors import E2EError, ProviderError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Operation
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.openstack.driver import OpenStackProvider
from tests.clouds.cases import DEPLOYMENT, HOSTILE, SHORT, Adapter, CloudCases, World
from tests.openstack.world import CLOUD, IMAGE, ROOMY, SECRET, SMALL, ZONES, project


def made(home: Path, pace: Pace) -> OpenStackProvider:
    """With a pace for real services: a server takes a second or two."""
    return OpenStackProvider(home, pace if pace is SHORT else Pace(call=20, whole=60, look=0.2, lag=1))


class TestOpenStack(CloudCases):
    """All cases that every provider is held against; those of capacity are for real here."""

    adapter = Adapter(
        provider="openstack",
        make=made,
        serve=lambda: project(CLOUD[0]),
        environment=lambda project, folder: project.environment(folder),
        secret=SECRET,
        parameters={"zones": [ZONES[1]], "instance_type": SMALL, "image": IMAGE},
        zones=(ZONES[1], ZONES[0]),
        words={
            Operation.ON: ["os-start"],
            Operation.OFF: ["os-stop"],
            Operation.REBOOT: ["reboot SOFT"],
            Operation.RESET: ["reboot HARD"],
            Operation.NMI: ["trigger_crash_dump"],
        },
        quota_is_told=True,
        credential="OS_CLOUD",
    )

    def test_capacity_is_found_at_the_next_place(self, world: World) -> None:
        """The first host has room for one: nova says so of the second and the third when it builds them."""
        assert world.create(zones=list(ZONES), instance_type=ROOMY) is True
        assert world.fake.zones() == [ZONES[1]] * 3
        assert len(world.fake.made()) == 6, "three were asked for at each place"
        assert {node.power for node in world.nodes().values()} == {PowerState.ON}
        ledger = world.provider._store.load(DEPLOYMENT).ledger()
        assert any("No valid host" in act.error for act in ledger)

    def test_no_capacity_anywhere(self, world: World) -> None:
        with pytest.raises(CloudError) as error:
            world.create(zones=[ZONES[0]], instance_type=ROOMY)
        assert error.value.trouble is Trouble.CAPACITY
        assert "No valid host" in str(error.value)
        assert (world.fake.machines(), world.fake.left()) == ([], [])

    def test_failed_server_that_was_left_is_told_at_once(self, world: World) -> None:
        """The controller was gone after both orders, and one failed: nobody waits for that one."""
        world.prepare(names=("n11", "n12"), zones=[ZONES[0]], instance_type=ROOMY)
        recorded = world.provider._store.load(DEPLOYMENT)
        for node in recorded.record.nodes:
            order = recorded.record.order(node, recorded.record.places[0], recorded.public_key)
            world.provider.cloud.create(order)
        with pytest.raises(CloudError, match="No valid host") as error:
            world.provider.create(DEPLOYMENT)
        assert error.value.trouble is Trouble.CAPACITY
        assert world.provider.destroy(DEPLOYMENT) is True

    def test_hostile_tag_stays_text(self, world: World, tmp_path: Path) -> None:
        """Nova takes no such name of a tag; it takes such a name of a server."""
        world.create(names=("n11",))
        (machine,) = world.fake.machines()
        world.fake.rename(machine, HOSTILE)
        home = tmp_path / "elsewhere"
        listed = world.run("ansible-inventory", "-i", world.inventory, "--list", home=home)
        shown = json.loads(listed.stdout)["_meta"]["hostvars"]["n11"]["e2e_machine"]
        assert shown == {"__ansible_unsafe": HOSTILE}
        said = world.run(
            *("ansible", "all", "-i", world.inventory, "-m", "ansible.builtin.debug"),
            *("-a", "msg={{ e2e_machine }}"),
            home=home,
        )
        assert HOSTILE in said.stdout, said.stdout + said.stderr

    def test_nmi(self, world: World) -> None:
        world.create(names=("n11",))
        done = world.provider.power(DEPLOYMENT, "n11", Operation.NMI, 20)
        assert (done.changed, done.after) == (True, PowerState.ON)
        assert world.fake.acts() == ["trigger_crash_dump"]

    def test_never_on(self, world: World) -> None:
        world.prepare(names=("n11", "n12"))
        world.fake.never_start()
        provider = OpenStackProvider(world.home, Pace(call=20, whole=8, look=0.2, lag=0.3))
        with pytest.raises(
            ProviderError, match=r"8 s: n11 is (spawning|scheduling), n12 is (spawning|scheduling)"
        ):
            provider.create(DEPLOYMENT)
        assert len(world.fake.made()) == 2
        assert (world.fake.machines(), world.fake.left()) == ([], [])

    def test_state_between_two_is_a_conflict(self, world: World) -> None:
        world.create(names=("n11",))
        (machine,) = world.provider.cloud.machines(DEPLOYMENT)
        world.provider.cloud.power(machine, Operation.RESET)
        with pytest.raises(CloudError) as error:
            world.provider.cloud.power(machine, Operation.OFF)
        assert error.value.trouble is Trouble.CONFLICT

    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"instance_type": "smal"}, "no flavor 'smal'"),
            ({"instance_type": ""}, "which flavor"),
            ({"network": "shard"}, "no network 'shard'"),
        ],
    )
    def test_what_the_cloud_has_not(self, world: World, parameters: dict[str, object], words: str) -> None:
        """Nothing is made, and the hint says what there is."""
        with pytest.raises(E2EError, match=words) as error:
            world.create(names=("n11",), **parameters)
        assert SMALL in error.value.hint or "shared" in error.value.hint
        assert world.fake.made() == []

    def test_parameter_that_cannot_be(self, world: World) -> None:
        with pytest.raises(UsageError, match="data_volumes_per_node"):
            world.prepare(data_volumes_per_node=2)

    def test_several_clouds_and_none_chosen(
        self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = Path(world.environment["OS_CLIENT_CONFIG_FILE"])
        cloud = json.loads(file.read_text())["clouds"]["devstack"]
        file.write_text(json.dumps({"clouds": {"one": cloud, "two": cloud}}))
        with pytest.raises(CloudError) as error:
            made(tmp_path, world.provider._pace).deployments()
        assert "OS_CLOUD to one of one, two" in error.value.hint
        monkeypatch.setenv("OS_CLOUD", "two")
        assert made(tmp_path, world.provider._pace).deployments() == []
