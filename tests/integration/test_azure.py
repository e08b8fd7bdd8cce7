"""Virtual machines of Azure, by its SDKs over a socket to a fake subscription."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from azure.mgmt.compute import models as compute
from azure.mgmt.network import models as network
from azure.mgmt.resource.resources import models as resources

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import CleanUpError, E2EError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.azure.api import authentication
from e2e_ansible.providers.azure.driver import AzureProvider
from e2e_ansible.providers.base import Operation
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from tests.clouds.azure import SUBSCRIPTION, FakeAzure, served
from tests.clouds.cases import DEPLOYMENT, NAMES, PACE, Adapter, CloudCases, World
from tests.clouds.server import Call, FakeMachine, Refused

_FIRST, _ELSEWHERE = "westeurope-1", "northeurope-2"
_GROUP = "AZURE_RESOURCE_GROUP"
#: What a thing is in the SDKs, by the last word of its path that is no name.
_MODELS: Mapping[str, Any] = {
    "virtualMachines": compute.VirtualMachine,
    "instanceView": compute.VirtualMachineInstanceView,
    "disks": compute.Disk,
    "usages": compute.Usage,
    "skus": compute.ResourceSku,
    "networkInterfaces": network.NetworkInterface,
    "publicIPAddresses": network.PublicIPAddress,
    "virtualNetworks": network.VirtualNetwork,
    "networkSecurityGroups": network.NetworkSecurityGroup,
    "resourcegroups": resources.ResourceGroup,
}


@contextmanager
def held() -> Iterator[FakeAzure]:
    """A subscription whose answers, and what it was asked for, are held against the SDK at its end."""
    with served() as fake:
        yield fake
    assert unknown(fake) == []


class TestAzure(CloudCases):
    """All cases that every provider is held against, and what only Azure does."""

    adapter = Adapter(
        provider="azure",
        make=AzureProvider,
        serve=held,
        environment=lambda fake, _: {
            "E2E_AZURE_ENDPOINT": fake.url,
            "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
            "AZURE_ACCESS_TOKEN": "sesame-7d1f",
        },
        secret="sesame-7d1f",
        parameters={"zones": [_FIRST]},
        zones=(_FIRST, _ELSEWHERE),
        words={
            Operation.ON: ["start"],
            Operation.OFF: ["powerOff"],
            Operation.HARD_OFF: ["powerOff skipShutdown"],
            Operation.REBOOT: ["restart"],
            Operation.RESET: ["powerOff skipShutdown", "start"],
        },
        quota_is_told=True,
        credential="AZURE_CLIENT_ID",
    )

    def test_capacity_is_found_at_the_next_place(self, world: World) -> None:
        """Azure tells it by the operation, when all three are ordered."""
        world.fake.lack(2)
        self._find_at_the_next(world, _ELSEWHERE)

    def test_capacity_is_found_in_the_next_zone_of_a_location(self, world: World) -> None:
        """What the machines of the location had in common went with them, and is made anew."""
        world.fake.lack(2)
        self._find_at_the_next(world, "westeurope-3")

    def _find_at_the_next(self, world: World, elsewhere: str) -> None:
        assert world.create(zones=[_FIRST, elsewhere]) is True
        assert world.fake.zones() == [elsewhere] * 3
        assert [name[-3:] for name in world.fake.made()] == [*NAMES, *NAMES]
        assert {node.power for node in world.nodes().values()} == {PowerState.ON}
        world.provider.destroy(DEPLOYMENT)
        assert world.fake.left() == []

    def test_a_zone_that_is_full_fails_once(self, world: World) -> None:
        """All three orders fail; the first that does is told, and the others do not get in the way of what follows."""
        world.fake.full_zone = _FIRST
        self._find_at_the_next(world, _ELSEWHERE)

    def test_no_capacity_anywhere(self, world: World) -> None:
        world.fake.lack(2)
        with pytest.raises(CloudError) as error:
            world.create(zones=[_FIRST])
        assert error.value.trouble is Trouble.CAPACITY
        assert "AllocationFailed" in str(error.value)
        assert (world.fake.machines(), world.fake.left()) == ([], [])

    def test_size_that_a_location_has_not_now(self, world: World) -> None:
        """That is known before anything is made there."""
        world.fake.restricted = "westeurope"
        assert world.create(zones=[_FIRST, _ELSEWHERE]) is True
        assert len(world.fake.made()) == 3

    def test_size_that_is_not_there(self, world: World) -> None:
        with pytest.raises(CloudError) as error:
            world.create(instance_type="Standard_B2ms")
        assert (error.value.trouble, error.value.hint) == (Trouble.MISSING, "did you mean Standard_B2s?")
        assert world.fake.left() == []

    def test_quota_of_processors_of_a_family(self, world: World) -> None:
        with pytest.raises(CloudError) as error:
            world.create(instance_type="Standard_D4s_v5")
        assert error.value.trouble is Trouble.QUOTA
        assert "leaves 2" in str(error.value)
        assert (world.fake.made(), world.fake.left()) == ([], [])

    def test_group_of_a_deployment(self, world: World) -> None:
        """It is made with our tags, and goes with the deployment, and all in it, even what somebody else put there."""
        world.create(names=("n11",))
        group = world.fake.groups[f"e2e-{DEPLOYMENT}"]
        assert group.tags["e2e-deployment"] == DEPLOYMENT
        assert "e2e-node" not in group.tags
        world.provider.destroy(DEPLOYMENT)
        assert world.fake.left() == []

    def test_group_of_somebody_else(self, world: World) -> None:
        """It has the name that the deployment's would have: it does not become ours, and stays as it is."""
        name = f"e2e-{DEPLOYMENT}"
        world.fake.groups[name] = FakeMachine(1, name, "westeurope", "", {"owner": "them"}, "Succeeded", {})
        with pytest.raises(
            CloudError, match=f"there is a resource group {name}, which was not made"
        ) as error:
            world.create(names=("n11",))
        assert error.value.trouble is Trouble.CONFLICT
        world.provider.destroy(DEPLOYMENT)
        assert world.fake.left() == [name]
        assert world.fake.groups[name].tags == {"owner": "them"}

    def test_group_that_is_given(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is made or asked for outside of it, it stays, and of what is in it only ours is removed."""
        monkeypatch.setenv(_GROUP, "lab")
        with pytest.raises(CloudError) as error:
            world.create(names=("n11", "n12"))
        assert (error.value.trouble, error.value.hint) == (Trouble.MISSING, "az group create --name lab")
        world.fake.answer(
            Call("PUT", f"/subscriptions/{SUBSCRIPTION}/resourcegroups/lab", {}, {"location": "x"})
        )
        begin = len(world.fake.answers)
        assert world.create(names=("n11", "n12")) is True
        other = {
            "name": "other",
            "type": "Microsoft.Compute/disks",
            "location": "westeurope",
            "properties": {},
        }
        path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/lab/providers/Microsoft.Compute/disks/other"
        world.fake.things[path] = {**other, "id": path}
        world.provider.destroy(DEPLOYMENT)
        assert world.fake.left() == ["lab", "other"]
        asked = [call.path for call, _ in world.fake.answers[begin:]]
        assert [path for path in asked if "/lab/" not in path and "/locations/" not in path] == [
            f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/skus"
        ]

    def test_all_that_comes_with_a_machine_goes_with_it(self, world: World) -> None:
        """Card, address and disks by Azure itself; what is left is what machines have in common."""
        world.create(names=("n11",), data_volumes_per_node=1)
        before = set(world.fake.left())
        (machine,) = world.provider.cloud.machines(DEPLOYMENT)
        world.provider.cloud.delete(machine)
        assert Deadline(5).wait_for(lambda: not world.provider.cloud.machines(DEPLOYMENT))
        gone = before - set(world.fake.left())
        assert gone == {machine.machine, f"{machine.machine}-os", f"{machine.machine}-0"}
        kinds = {resource.kind for resource in world.provider.cloud.resources(DEPLOYMENT)}
        assert kinds == {"group"}
        assert len(world.fake.left()) == 3

    def test_what_stayed_is_found_and_removed(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(_GROUP, "lab")
        world.fake.answer(
            Call("PUT", f"/subscriptions/{SUBSCRIPTION}/resourcegroups/lab", {}, {"location": "x"})
        )
        world.create(names=("n11",))
        (card,) = world.fake.fleet[0].settings["networkProfile"]["networkInterfaceConfigurations"]
        card["properties"]["deleteOption"] = "Detach"
        world.fake.fleet[0].settings["storageProfile"]["osDisk"]["deleteOption"] = "Detach"
        assert world.provider.destroy(DEPLOYMENT) is True
        assert world.fake.left() == ["lab"]

    def test_volumes_and_network(self, world: World) -> None:
        """Each parameter arrives. A network of one's own is neither made nor removed."""
        subnet = (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v"
        )
        world.fake.things[subnet] = {"id": subnet, "name": "v", "type": "Microsoft.Network/virtualNetworks"}
        world.create(
            names=("n11",),
            data_volumes_per_node=2,
            data_volume_size=20,
            root_volume_size=40,
            subnet=f"{subnet}/subnets/inner",
            security_groups=["ssh-only"],
            public_address=False,
            ssh_user="tester",
        )
        (machine,) = world.fake.fleet
        storage, system = machine.settings["storageProfile"], machine.settings["osProfile"]
        assert storage["osDisk"]["diskSizeGB"] == 40
        assert [(disk["lun"], disk["diskSizeGB"]) for disk in storage["dataDisks"]] == [(0, 20), (1, 20)]
        assert system["adminUsername"] == "tester"
        assert base64.b64decode(system["customData"]).startswith(b"#cloud-config\n")
        (card,) = machine.settings["networkProfile"]["networkInterfaceConfigurations"]
        assert card["properties"]["networkSecurityGroup"]["id"].endswith("/networkSecurityGroups/ssh-only")
        node = world.nodes()["n11"]
        assert (node.power, node.variables["ansible_host"]) == (PowerState.ON, f"10.77.0.{machine.id % 250}")
        world.provider.destroy(DEPLOYMENT)
        assert world.fake.left() == ["v"]

    def test_network_security_group_of_our_own_lets_ssh_in(self, world: World) -> None:
        world.create(names=("n11",))
        (firewall,) = [each for each in world.fake.things.values() if each["type"].endswith("SecurityGroups")]
        (rule,) = firewall["properties"]["securityRules"]
        assert rule["properties"]["destinationPortRange"] == "22"

    @pytest.mark.parametrize(
        ("parameter", "value", "told"),
        [
            ("image", "debian", "Debian:debian-12"),
            ("security_groups", ["one", "two"], "one name"),
            ("subnet", "inner", "network"),
        ],
    )
    def test_what_cannot_be_is_refused(self, world: World, parameter: str, value: object, told: str) -> None:
        with pytest.raises(UsageError) as error:
            world.prepare(**{parameter: value})
        assert told in error.value.hint
        assert world.provider.deployments() == []

    def test_zone_of_a_region(self, world: World) -> None:
        world.create(names=("n11",), region="northeurope", zones=["2"])
        assert world.fake.zones() == ["northeurope-2"]

    def test_no_location_is_refused(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AZURE_LOCATION", raising=False)
        with pytest.raises(UsageError) as error:
            world.create(names=("n11",), zones=None)
        assert "zones:" in error.value.hint
        assert (world.fake.made(), world.fake.left()) == ([], [])

    def test_the_sdk_repeats_nothing(self, world: World) -> None:
        world.fake.fail(500, 1)
        with pytest.raises(CloudError) as error:
            world.provider.cloud.machines()
        assert error.value.trouble is Trouble.TRANSIENT
        assert world.provider.cloud.machines() == []

    def test_machine_that_cannot_be_deleted_is_told(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.create(names=("n11",))

        def refuse(_: object) -> None:
            raise Refused(world.fake.error(403))

        monkeypatch.setattr(world.fake, "_delete", refuse)
        with pytest.raises(CleanUpError) as error:
            world.hurried().destroy(DEPLOYMENT)
        assert "try again later (AuthorizationFailed)" in str(error.value)
        assert "reap" in error.value.hint

    def test_http_endpoint_elsewhere_is_refused(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("E2E_AZURE_ENDPOINT", "http://example.com")
        with pytest.raises(UsageError) as error:
            AzureProvider(world.home, PACE).deployments()
        assert "in clear" in str(error.value)

    def test_no_secret_goes_over_http(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a token that is given, nobody is asked for one, and what is sent is nothing."""
        monkeypatch.delenv("AZURE_ACCESS_TOKEN")
        for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
            monkeypatch.setenv(name, "sesame-7d1f")
        assert authentication()["authentication_policy"].headers == {}
        with pytest.raises(CloudError) as error:
            AzureProvider(world.home, PACE).deployments()
        assert error.value.trouble is Trouble.FORBIDDEN

    @pytest.mark.parametrize(
        "names", [("AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"), ("AZURE_TENANT", "AZURE_SECRET")]
    )
    def test_names_of_the_sdk_and_of_awx(
        self, world: World, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]
    ) -> None:
        for name in (*names, "AZURE_CLIENT_ID"):
            monkeypatch.setenv(name, "some-7d1f")
        for name in ("AZURE_ACCESS_TOKEN", "E2E_AZURE_ENDPOINT"):
            monkeypatch.delenv(name)
        credential = authentication()["credential"]
        assert type(credential).__name__ == "ClientSecretCredential"

    def test_credentials_that_are_nowhere(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """The SDK's own search; it is kept from asking the network."""
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
        monkeypatch.setenv("E2E_AZURE_ENDPOINT", "https://127.0.0.1:9")
        monkeypatch.delenv("AZURE_ACCESS_TOKEN")
        with pytest.raises(E2EError) as error:
            AzureProvider(world.home, PACE).deployments()
        assert "AZURE_CLIENT_ID" in error.value.hint


def test_an_answer_with_an_unknown_word_is_noticed() -> None:
    """The check of what is said is not blind."""
    fake = FakeAzure()
    path = "/subscriptions/x/providers/Microsoft.Compute/virtualMachines"
    said = {"properties": {"osProfile": {"adminName": "x"}}, "tags": {"any": "thing"}}
    fake.answers.append((Call("GET", path, {}, None), {"value": [said]}))
    assert unknown(fake) == ["VirtualMachine.properties.osProfile.adminName"]


def unknown(fake: FakeAzure) -> list[str]:
    """Words that the fake said, or was told, and that the SDK's models do not have."""
    found: list[str] = []
    for call, body in fake.answers:
        model = _model(call.path)
        if model is None:
            found += [f"operation.{key}" for key in body if key not in ("name", "status", "error")]
            continue
        for said in (
            *body.get("value", [body]),
            *([call.body] * bool(call.body)),
        ):
            found += _unknown(model(said), said, model.__name__)
    return found


def _model(path: str) -> Any:
    words = path.strip("/").split("/")
    return next((_MODELS[word] for word in reversed(words) if word in _MODELS), None)


def _unknown(model: Any, said: Mapping[str, Any], where: str) -> list[str]:
    """A model takes every word; those that are its own have an attribute, whose value is of its type."""
    attributes = {field._rest_name: name for name, field in model._attr_to_rest_field.items()}
    found = [f"{where}.{key}" for key in said if key not in attributes]
    for key in said.keys() & attributes.keys() - {"tags"}:
        inside, value = getattr(model, attributes[key]), said[key]
        pairs = zip(inside, value, strict=True) if isinstance(value, list) else [(inside, value)]
        for part, told in pairs:
            if isinstance(told, Mapping):
                at = f"{where}.{key}"
                found += _unknown(part, told, at) if hasattr(part, "_attr_to_rest_field") else [at]
    return found
