"""What every provider of machines has to do, as cases over a small adapter.

A file of tests says which provider and which fake it is about:

    class TestHetzner(CloudCases):
        adapter = Adapter(provider="hetzner", make=HetznerProvider, serve=served, ...)

and gets every case; it adds its own and overrides what is different there.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest

from e2e_ansible.errors import E2EError, ProviderError, UnsupportedOperation
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Deployed, DeploymentSpec, Node, NodeSpec, Operation
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.machine import LABEL_TAG
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOYMENT = "case"
NAMES = ("n11", "n12", "n13")
LABELS = ("database", "site_a")
RUN = "20261121-072524-f3c82a"
PACE = Pace(call=10, whole=10, look=0.02, lag=0.3)
SHORT = Pace(call=0.6, whole=0.8, look=0.02, lag=0.3)
HOSTILE = "{{ 1 + 1 }}"


class Fake(Protocol):
    """A fake of a provider's API, and the troubles that it can be told to make."""

    def machines(self) -> list[str]:
        """Names of the machines that are there now, in the order in which they were made."""
        ...

    def made(self) -> list[str]:
        """Names of all machines that were ever made, whether they are there or not."""
        ...

    def zones(self) -> list[str]:
        """The zone of each machine of `machines`, in its order."""
        ...

    def left(self) -> list[str]:
        """Everything else that was made with a machine and is there: disks, addresses, tags."""
        ...

    def acts(self) -> list[str]:
        """The operations of power that were asked for, in the provider's own words, oldest first."""
        ...

    def fail(self, status: int, times: int) -> None:
        """Answer the next `times` calls with this status (429, 500) instead of doing them."""
        ...

    def lack(self, create: int) -> None:
        """Refuse the `create`th machine from now on (the first is 1) for want of capacity, once."""
        ...

    def allow(self, machines: int) -> None:
        """The account may have so many machines."""
        ...

    def lose_answer(self) -> None:
        """Do the next call that makes a machine, and break the connection instead of answering it."""
        ...

    def never_start(self) -> None:
        """Machines that are made from now on do not get on."""
        ...

    def never_act(self) -> None:
        """Operations of power are accepted from now on, and do not end."""
        ...

    def forbid(self) -> None:
        """From now on the credential has no rights."""
        ...

    def retag(self, machine: str, old: str, new: str) -> None:
        """Rename a tag of a machine, as somebody else in the account might; of any text."""
        ...


@dataclass(frozen=True)
class Adapter:
    """One provider with its fake. `words` is what its API is asked for, for each operation that it can do."""

    provider: str
    make: Callable[[Path, Pace], CloudProvider]
    serve: Callable[[], AbstractContextManager[Any]]  # of a Fake
    environment: Callable[
        [Any, Path], Mapping[str, str]
    ]  # of the fake, and a folder for files of credentials
    secret: str  # that no output may show
    parameters: Mapping[str, object]  # of the deployment; with zones
    zones: tuple[str, str]  # two that it has
    words: Mapping[Operation, Sequence[str]]
    quota_is_told: bool  # whether it is known before anything is made
    credential: str  # what the hint on a refused credential names


@dataclass
class World:
    """A fake with a provider over it, and the processes that talk to it."""

    adapter: Adapter
    fake: Any
    home: Path
    environment: Mapping[str, str]
    provider: CloudProvider
    parameters: Mapping[str, object] = field(default_factory=dict)

    def prepare(self, names: Sequence[str] = NAMES, **parameters: object) -> None:
        """The record of a deployment."""
        nodes = tuple(NodeSpec(name=name, labels=LABELS) for name in names)
        given = {**self.adapter.parameters, **parameters}
        self.provider.prepare(
            DeploymentSpec(id=DEPLOYMENT, nodes=nodes, parameters=given, owner=f"/runs/{RUN}")
        )

    def create(self, names: Sequence[str] = NAMES, **parameters: object) -> bool:
        """Prepare and create."""
        self.prepare(names, **parameters)
        return self.provider.create(DEPLOYMENT)

    def nodes(self) -> dict[str, Node]:
        """By name."""
        return {node.name: node for node in self.provider.nodes(DEPLOYMENT)}

    def hurried(self) -> CloudProvider:
        """The same provider with little patience."""
        return self.adapter.make(self.home, SHORT)

    def elsewhere(self, folder: Path) -> CloudProvider:
        """The provider on another controller, which has no record of anything."""
        return self.adapter.make(folder, PACE)

    def found(self) -> list[Deployed]:
        """What `reap` would look at."""
        return list(self.provider.deployed())

    def run(self, *argv: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
        """An Ansible command in the repository, as an operator starts it; no output shows the secret."""
        environment = {
            **os.environ,
            **self.environment,
            "E2E_ANSIBLE_HOME": str(home or self.home),
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        done = subprocess.run(
            argv, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert self.adapter.secret not in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done

    @property
    def inventory(self) -> str:
        """The inventory of the provider."""
        return f"inventories/{self.adapter.provider}.e2e.yml"


class CloudCases:
    """All cases. A subclass has an `adapter`."""

    adapter: ClassVar[Adapter]

    @pytest.fixture
    def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
        """A fake that serves, and a provider that finds it by its environment."""
        credentials = tmp_path / "credentials"
        credentials.mkdir()
        home = tmp_path / "home"
        with self.adapter.serve() as fake:
            environment = dict(self.adapter.environment(fake, credentials))
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            provider = self.adapter.make(home, PACE)
            yield World(self.adapter, fake, home, environment, provider)

    def test_doctor_finds_sdk_and_credential(self, world: World) -> None:
        assert [finding.detail for finding in world.provider.doctor() if not finding.ok] == []

    def test_made_listed_and_removed(self, world: World, tmp_path: Path) -> None:
        world.prepare()
        assert {node.power for node in world.nodes().values()} == {PowerState.ABSENT}
        assert world.fake.made() == []
        assert world.provider.create(DEPLOYMENT) is True
        nodes = world.nodes()
        assert tuple(nodes) == NAMES
        assert {node.power for node in nodes.values()} == {PowerState.ON}
        assert {node.labels for node in nodes.values()} == {LABELS}
        assert all(node.address for node in nodes.values())
        assert world.fake.machines() == [node.variables["e2e_machine"] for node in nodes.values()]
        assert set(world.fake.zones()) == {self.adapter.zones[0]}
        assert world.provider.create(DEPLOYMENT) is False, "a second time there is nothing to do"
        assert len(world.fake.made()) == 3
        assert world.provider.destroy(DEPLOYMENT) is True
        assert (world.fake.machines(), world.fake.left()) == ([], [])
        assert world.provider.destroy(DEPLOYMENT) is False
        assert DEPLOYMENT not in world.provider.deployments()

    def test_found_and_removed_from_elsewhere_by_tag(self, world: World, tmp_path: Path) -> None:
        world.create()
        elsewhere = world.elsewhere(tmp_path / "elsewhere")
        (found,) = elsewhere.deployed()
        assert (found.deployment, found.run) == (DEPLOYMENT, RUN)
        assert found.owner
        assert found.expires - found.created == pytest.approx(24 * 3600, abs=60)
        assert len([thing for thing in found.things if thing in world.fake.machines()]) == 3
        assert elsewhere.deployments() == [DEPLOYMENT]
        assert {node.labels for node in elsewhere.nodes(DEPLOYMENT)} == {LABELS}
        assert elsewhere.destroy(DEPLOYMENT) is True
        assert (world.fake.machines(), world.fake.left()) == ([], [])
        assert elsewhere.deployed() == []

    def test_removing_what_is_gone_is_no_error(self, world: World) -> None:
        world.create(names=("n11",))
        (machine,) = world.provider.cloud.machines(DEPLOYMENT)
        world.provider.destroy(DEPLOYMENT)
        world.provider.cloud.delete(machine)

    def test_others_are_left_alone(self, world: World, tmp_path: Path) -> None:
        world.create(names=("n11",))
        other = world.elsewhere(tmp_path / "elsewhere")
        spec = DeploymentSpec(
            id="other", nodes=(NodeSpec(name="n11"),), parameters=dict(self.adapter.parameters)
        )
        other.prepare(spec)
        other.create("other")
        world.provider.destroy(DEPLOYMENT)
        assert [node.power for node in other.nodes("other")] == [PowerState.ON]
        assert [each.deployment for each in other.deployed()] == ["other"]
        other.destroy("other")

    def test_power(self, world: World) -> None:
        """Each operation there is: what it found and left, what the API was asked for, and nothing the second time."""
        world.create(names=("n11", "n12"))
        paths = [
            (Operation.OFF, PowerState.ON, PowerState.OFF),
            (Operation.ON, PowerState.OFF, PowerState.ON),
            (Operation.HARD_OFF, PowerState.ON, PowerState.OFF),
            (Operation.ON, PowerState.OFF, PowerState.ON),
            (Operation.REBOOT, PowerState.ON, PowerState.ON),
            (Operation.RESET, PowerState.ON, PowerState.ON),
        ]
        for operation, before, after in paths:
            if operation not in self.adapter.words and operation is not Operation.ON:
                continue
            if before is not world.nodes()["n12"].power:  # the way off is not there, so there is none back
                continue
            heard = len(world.fake.acts())
            done = world.provider.power(DEPLOYMENT, "n12", operation, 10)
            assert (done.changed, done.before, done.after) == (True, before, after), operation
            assert world.fake.acts()[heard:] == list(self.adapter.words[operation])
            assert {name: node.power for name, node in world.nodes().items()} == {
                "n11": PowerState.ON,
                "n12": after,
            }
            if operation in (Operation.ON, Operation.OFF, Operation.HARD_OFF):
                again = world.provider.power(DEPLOYMENT, "n12", operation, 10)
                assert (again.changed, again.after) == (False, after)
                assert len(world.fake.acts()) == heard + len(self.adapter.words[operation])

    def test_power_that_the_api_has_not(self, world: World) -> None:
        world.create(names=("n11",))
        for operation in set(Operation) - set(self.adapter.words):
            with pytest.raises(UnsupportedOperation) as error:
                world.provider.power(DEPLOYMENT, "n11", operation, 5)
            assert error.value.hint
        assert world.fake.acts() == []

    def test_stopped_node_is_started_by_create(self, world: World) -> None:
        world.create(names=("n11", "n12"))
        world.provider.power(DEPLOYMENT, "n11", Operation.OFF, 10)
        assert world.provider.create(DEPLOYMENT) is True
        assert {node.power for node in world.nodes().values()} == {PowerState.ON}
        assert len(world.fake.made()) == 2

    def test_inventory_lists_stopped_nodes(self, world: World) -> None:
        world.create()
        world.provider.power(DEPLOYMENT, "n12", Operation.OFF, 10)
        listed = world.run("ansible-inventory", "-i", world.inventory, "--list")
        assert listed.returncode == 0, listed.stderr
        content = json.loads(listed.stdout)
        assert content["power_off"]["hosts"] == ["n12"]
        assert content["power_on"]["hosts"] == ["n11", "n13"]
        for label in LABELS:
            assert content[label]["hosts"] == list(NAMES)
        for name, node in world.nodes().items():
            shown = content["_meta"]["hostvars"][name]
            assert shown["ansible_host"] == node.variables["ansible_host"]
            assert shown["e2e_power"] == node.power
            assert shown["e2e_provider"] == self.adapter.provider
            assert shown["e2e_zone"] == self.adapter.zones[0]
        graph = world.run("ansible-inventory", "-i", world.inventory, "--graph")
        assert "|--@power_off:\n  |  |--n12" in graph.stdout

    def test_hostile_tag_stays_text(self, world: World, tmp_path: Path) -> None:
        """On a controller that knows the machines by their tags only."""
        world.create(names=("n11",))
        (machine,) = world.fake.machines()
        world.fake.retag(machine, f"{LABEL_TAG}database", f"{LABEL_TAG}{HOSTILE}")
        home = tmp_path / "elsewhere"
        listed = world.run("ansible-inventory", "-i", world.inventory, "--list", home=home)
        shown = json.loads(listed.stdout)["_meta"]["hostvars"]["n11"]["e2e_labels"]
        assert shown == ["site_a", {"__ansible_unsafe": HOSTILE}]
        said = world.run(
            *("ansible", "all", "-i", world.inventory, "-m", "ansible.builtin.debug"),
            *("-a", "msg={{ e2e_labels | join(',') }}"),
            home=home,
        )
        assert HOSTILE in said.stdout, said.stdout + said.stderr
        assert "site_a,2" not in said.stdout

    def test_crash_by_the_playbook_of_operators(self, world: World) -> None:
        """No ssh answers here; what proves the crash is the provider's word."""
        world.create()
        with _free_port() as port:
            done = world.run(
                *("ansible-playbook", "playbooks/node_power.yml", "-i", world.inventory, "-l", "n12"),
                *("-e", f"node_power_operation={self._hardest}", "-e", f"ansible_port={port}"),
            )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "changed=" in done.stdout
        assert world.fake.acts() == list(self.adapter.words[self._hardest])
        assert {name: node.power for name, node in world.nodes().items()} == {
            "n11": PowerState.ON,
            "n12": PowerState.OFF,
            "n13": PowerState.ON,
        }

    def test_quota_is_short(self, world: World) -> None:
        world.fake.allow(2)
        with pytest.raises(CloudError) as error:
            world.create()
        assert error.value.trouble is Trouble.QUOTA
        assert error.value.hint
        assert world.fake.machines() == []
        if self.adapter.quota_is_told:
            assert world.fake.made() == []
            assert "3 machines" in str(error.value)

    def test_quota_is_enough(self, world: World) -> None:
        world.fake.allow(3)
        assert world.create() is True

    def test_capacity_is_found_at_the_next_place(self, world: World) -> None:
        world.fake.lack(2)
        assert world.create(zones=list(self.adapter.zones)) is True
        assert world.fake.zones() == [self.adapter.zones[1]] * 3
        assert len(world.fake.made()) == 4, "the first one was made at the first place, and removed"
        assert {node.power for node in world.nodes().values()} == {PowerState.ON}

    def test_no_capacity_anywhere(self, world: World) -> None:
        world.fake.lack(2)
        with pytest.raises(CloudError) as error:
            world.create(zones=[self.adapter.zones[0]])
        assert error.value.trouble is Trouble.CAPACITY
        assert len(world.fake.made()) == 1
        assert (world.fake.machines(), world.fake.left()) == ([], [])

    def test_api_that_fails_for_a_while(self, world: World) -> None:
        world.prepare(names=("n11", "n12"))
        world.fake.fail(429, 1)
        world.fake.fail(500, 1)
        assert world.provider.create(DEPLOYMENT) is True
        assert len(world.fake.made()) == 2
        world.fake.fail(500, 1)
        assert world.provider.power(DEPLOYMENT, "n11", Operation.ON, 10).changed is False
        world.fake.fail(429, 1)
        assert world.provider.destroy(DEPLOYMENT) is True
        assert world.fake.machines() == []

    def test_api_that_fails_and_does_not_stop(self, world: World) -> None:
        world.prepare(names=("n11",))
        world.fake.fail(500, 1000)
        with pytest.raises(CloudError) as error:
            world.hurried().create(DEPLOYMENT)
        assert error.value.trouble is Trouble.TRANSIENT
        assert self.adapter.secret not in str(error.value)

    def test_lost_answer_makes_no_double(self, world: World) -> None:
        world.prepare()
        world.fake.lose_answer()
        assert world.provider.create(DEPLOYMENT) is True
        assert len(world.fake.made()) == len(set(world.fake.made())) == 3

    def test_lost_answer_and_nothing_after_it_loses_no_machine(self, world: World, tmp_path: Path) -> None:
        """The controller is gone after the call: the machine is found by its tag."""
        world.prepare(names=("n11",))
        recorded = world.provider._store.load(DEPLOYMENT)
        order = recorded.record.order(
            recorded.record.nodes[0], recorded.record.places[0], recorded.public_key
        )
        world.fake.lose_answer()
        with pytest.raises(CloudError) as error:
            world.provider.cloud.create(order)
        assert error.value.trouble is Trouble.TRANSIENT
        assert world.elsewhere(tmp_path / "elsewhere").destroy(DEPLOYMENT) is True
        assert world.fake.machines() == []

    def test_never_on(self, world: World) -> None:
        world.prepare(names=("n11", "n12"))
        world.fake.never_start()
        with pytest.raises(ProviderError) as error:
            world.hurried().create(DEPLOYMENT)
        assert "n11" in str(error.value)
        assert "0.8 s" in str(error.value)
        assert len(world.fake.made()) == 2
        assert (world.fake.machines(), world.fake.left()) == ([], [])

    def test_power_that_does_not_end(self, world: World) -> None:
        world.create(names=("n11",))
        world.fake.never_act()
        with pytest.raises(ProviderError) as error:
            world.provider.power(DEPLOYMENT, "n11", Operation.OFF, 0.4)
        assert "0.4 s" in str(error.value)
        assert world.nodes()["n11"].power is not PowerState.OFF

    def test_power_of_what_is_not_there(self, world: World) -> None:
        world.create(names=("n11",))
        with pytest.raises(ProviderError):
            world.provider.power(DEPLOYMENT, "n12", Operation.OFF, 5)

    def test_forbidden_credential(self, world: World) -> None:
        world.prepare(names=("n11",))
        world.fake.forbid()
        with pytest.raises(CloudError) as error:
            world.provider.create(DEPLOYMENT)
        assert error.value.trouble is Trouble.FORBIDDEN
        assert self.adapter.credential in error.value.hint
        bad = [finding for finding in world.provider.doctor() if not finding.ok]
        assert [self.adapter.credential in finding.detail for finding in bad] == [True]
        listed = world.run("ansible-inventory", "-i", world.inventory, "--list")
        assert self.adapter.credential in listed.stderr

    def test_no_credential_at_all(
        self, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in world.environment:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))
        provider = self.adapter.make(world.home, PACE)
        bad = [finding for finding in provider.doctor() if not finding.ok]
        assert [self.adapter.credential in finding.detail for finding in bad] == [True]
        with pytest.raises(E2EError) as error:
            provider.deployments()
        assert self.adapter.credential in str(error.value) + error.value.hint

    @property
    def _hardest(self) -> Operation:
        return Operation.HARD_OFF if Operation.HARD_OFF in self.adapter.words else Operation.OFF


class _free_port:  # noqa: N801  # reads as a verb
    """A port of loopback where nothing listens as long as this lasts."""

    def __enter__(self) -> int:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        return int(self._socket.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._socket.close()
