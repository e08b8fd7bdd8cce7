"""Instances of Google Compute Engine, by their SDK over a socket to a fake project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from google.cloud import compute_v1

from e2e_ansible.errors import CleanUpError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Operation
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.gcp.driver import GcpProvider
from tests.clouds.cases import DEPLOYMENT, PACE, Adapter, CloudCases, World
from tests.clouds.gcp import PROJECT, FakeGcp, served
from tests.clouds.server import Call, Refused

_ADC = "GOOGLE_APPLICATION_CREDENTIALS"
_ZONE, _ELSEWHERE = "europe-west1-b", "europe-west4-a"
#: What the answer to a call is in the SDK, by the last word of its path that is no name.
_MODELS = {
    "aggregated/instances": compute_v1.InstanceAggregatedList,
    "aggregated/disks": compute_v1.DiskAggregatedList,
    "machineTypes": compute_v1.MachineType,
    "regions": compute_v1.Region,
}


@contextmanager
def held() -> Iterator[FakeGcp]:
    """A project whose answers are held against the SDK at its end."""
    with served() as fake:
        yield fake
    hold(fake)


class TestGcp(CloudCases):
    """All cases that every provider is held against, and what only Google does."""

    adapter = Adapter(
        provider="gcp",
        make=GcpProvider,
        serve=held,
        environment=lambda fake, _: {
            "E2E_GCP_ENDPOINT": fake.url,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "GOOGLE_OAUTH_ACCESS_TOKEN": "sesame-7d1f",
        },
        secret="sesame-7d1f",
        parameters={"zones": [_ZONE]},
        zones=(_ZONE, _ELSEWHERE),
        words={
            Operation.ON: ["start"],
            Operation.OFF: ["stop"],
            Operation.HARD_OFF: ["reset", "stop"],
            Operation.REBOOT: ["stop", "start"],
            Operation.RESET: ["reset"],
            Operation.NMI: ["sendDiagnosticInterrupt"],
        },
        quota_is_told=True,
        credential=_ADC,
    )

    @pytest.fixture(autouse=True)
    def no_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Google's search for credentials would ask the network whether this is one of its machines."""
        monkeypatch.setenv("NO_GCE_CHECK", "true")

    def test_capacity_is_found_at_the_next_place(self, world: World) -> None:
        """Google tells it by the operation, when the third is ordered already."""
        world.fake.lack(2)
        assert world.create(zones=[_ZONE, _ELSEWHERE]) is True
        assert world.fake.zones() == [_ELSEWHERE] * 3
        assert [name[-3:] for name in world.fake.made()] == ["n11", "n13", "n11", "n12", "n13"]
        assert len(world.fake.left()) == 3
        assert {node.power for node in world.nodes().values()} == {PowerState.ON}

    def test_no_capacity_anywhere(self, world: World) -> None:
        world.fake.lack(2)
        with pytest.raises(CloudError) as error:
            world.create(zones=[_ZONE])
        assert error.value.trouble is Trouble.CAPACITY
        assert "ZONE_RESOURCE_POOL_EXHAUSTED" in str(error.value)
        assert (world.fake.machines(), world.fake.left()) == ([], [])

    def test_what_is_ordered_and_not_listed_is_removed(self, world: World) -> None:
        """An instance may be listed some time after its order; one of a failed deployment must not stay for that."""
        world.fake.unseen = 4
        world.fake.lack(2)
        with pytest.raises(CloudError):
            world.create(zones=[_ZONE])
        assert len(world.fake.made()) == 2
        assert (world.fake.machines(), world.fake.left()) == ([], [])

    def test_a_zone_that_is_full_fails_once(self, world: World) -> None:
        """All three orders fail; the first that does is told, and the others do not get in the way of what follows."""
        world.fake.full_zone = _ZONE
        assert world.create(zones=[_ZONE, _ELSEWHERE]) is True
        assert world.fake.zones() == [_ELSEWHERE] * 3

    def test_lost_answer_of_an_order_that_is_not_listed_yet(self, world: World) -> None:
        """Nothing shows that it was heard; Google knows the request again."""
        world.fake.unseen = 40
        world.prepare(names=("n11",))
        world.fake.lose_answer()
        assert world.provider.create(DEPLOYMENT) is True
        assert len(world.fake.made()) == 1

    def test_nmi_is_sent(self, world: World) -> None:
        world.create(names=("n11", "n12"))
        done = world.provider.power(DEPLOYMENT, "n12", Operation.NMI, 5)
        assert (done.changed, done.after) == (True, PowerState.ON)
        assert world.fake.diagnosed == [world.nodes()["n12"].variables["e2e_machine"]]

    def test_local_disk_is_lost_and_told(self, world: World) -> None:
        """Without the word that it may be lost, Google does not stop such an instance."""
        world.create(names=("n11",), instance_type="c3-standard-4-lssd")
        done = world.provider.power(DEPLOYMENT, "n11", Operation.OFF, 10)
        assert "its local disk is lost" in done.side_effects

    def test_quota_of_processors_of_a_family(self, world: World) -> None:
        """Of 8 processors of N2 there are two machines with 4; others of the region are not asked for."""
        with pytest.raises(CloudError) as error:
            world.create(instance_type="n2-standard-4")
        assert error.value.trouble is Trouble.QUOTA
        assert "leaves 2" in str(error.value)
        assert world.fake.made() == []

    def test_size_that_is_not_there(self, world: World) -> None:
        with pytest.raises(CloudError) as error:
            world.create(instance_type="e2-humongous")
        assert error.value.trouble is Trouble.MISSING
        assert "e2-humongous" in str(error.value)

    def test_volumes_and_network(self, world: World) -> None:
        """Each parameter arrives; disks have our labels and go with their instance."""
        world.create(
            names=("n11",),
            data_volumes_per_node=2,
            data_volume_size=20,
            root_volume_size=30,
            subnet="inner",
            public_address=False,
            security_groups=["ssh-only"],
            ssh_user="tester",
        )
        (machine,) = world.fake.fleet
        wanted = machine.settings
        assert [disk["initializeParams"]["diskSizeGb"] for disk in wanted["disks"]] == ["30", "20", "20"]
        (card,) = wanted["networkInterfaces"]
        assert card == {"subnetwork": "regions/europe-west1/subnetworks/inner"}
        assert wanted["tags"] == {"items": ["ssh-only"]}
        metadata = {each["key"]: each["value"] for each in wanted["metadata"]["items"]}
        assert metadata["ssh-keys"].startswith("tester:ssh-ed25519 ")
        assert metadata["user-data"].startswith("#cloud-config\n")
        node = world.nodes()["n11"]
        assert (node.power, node.variables["ansible_host"]) == (PowerState.ON, f"10.132.0.{machine.id % 250}")
        assert len(world.fake.left()) == 3
        world.provider.destroy(DEPLOYMENT)
        assert world.fake.left() == []

    def test_disk_that_stayed_is_found_and_removed(self, world: World) -> None:
        world.create(names=("n11",))
        world.fake.fleet[0].settings["disks"][0]["autoDelete"] = False
        assert world.provider.destroy(DEPLOYMENT) is True
        assert world.fake.left() == []

    def test_zone_of_the_region(self, world: World) -> None:
        world.create(names=("n11",), zones=None, region="europe-west1")
        assert world.fake.zones() == ["europe-west1-b"]

    def test_no_zone_is_refused(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("GOOGLE_CLOUD_ZONE", "CLOUDSDK_COMPUTE_ZONE", "GOOGLE_CLOUD_REGION"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(UsageError) as error:
            world.create(names=("n11",), zones=None)
        assert "zones:" in error.value.hint
        assert world.fake.made() == []

    def test_silent_zone_is_not_taken_for_an_empty_one(self, world: World) -> None:
        world.create(names=("n11",))
        world.fake.silent_zone = _ZONE
        with pytest.raises(CloudError) as error:
            world.hurried().destroy(DEPLOYMENT)
        assert _ZONE in str(error.value)
        world.fake.silent_zone = ""
        assert world.provider.destroy(DEPLOYMENT) is True

    def test_instance_that_cannot_be_deleted_is_told(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.create(names=("n11",))

        def refuse(_: object) -> None:
            raise Refused(world.fake.error(403))

        monkeypatch.setattr(world.fake, "_delete", refuse)
        with pytest.raises(CleanUpError) as error:
            world.hurried().destroy(DEPLOYMENT)
        assert "n11" in str(error.value)
        assert "try again later (403, forbidden)" in str(error.value)
        assert "reap" in error.value.hint

    def test_key_file_that_is_none(
        self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Google's own search finds the file, and says what is wrong with it; nothing of the key is shown."""
        file = tmp_path / "key.json"
        account = {"type": "service_account", "client_email": "tester@example.com", "token_uri": "-"}
        file.write_text(json.dumps({**account, "private_key": "sesame-7d1f"}))
        monkeypatch.delenv("GOOGLE_OAUTH_ACCESS_TOKEN")
        monkeypatch.setenv("E2E_GCP_ENDPOINT", "https://127.0.0.1:9")
        monkeypatch.setenv(_ADC, str(file))
        (_, finding) = GcpProvider(world.home, PACE).doctor()
        assert not finding.ok
        assert str(file) in finding.detail
        assert _ADC in finding.detail
        assert "sesame" not in finding.detail

    def test_token_that_has_expired(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "sesame-7d1f-old")
        with pytest.raises(CloudError) as error:
            GcpProvider(world.home, PACE).deployments()
        assert error.value.trouble is Trouble.FORBIDDEN
        assert str(error.value) == "gcp: the token in GOOGLE_OAUTH_ACCESS_TOKEN is refused, or has expired"

    def test_http_endpoint_elsewhere_is_refused(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("E2E_GCP_ENDPOINT", "http://example.com")
        with pytest.raises(UsageError) as error:
            GcpProvider(world.home, PACE).deployments()
        assert "in clear" in str(error.value)


def test_an_answer_with_an_unknown_field_is_noticed() -> None:
    """The check of the fake's answers is not blind."""
    fake = FakeGcp()
    fake.answers.append((Call("GET", "/projects/x/regions/y", {}, None), {"name": "y", "qoutas": []}))
    with pytest.raises(Exception, match="qoutas"):
        hold(fake)


def hold(fake: FakeGcp) -> None:
    """Every answer of the fake is what the SDK's own model says, without a field or a word that it has not."""
    for call, body in fake.answers:
        _model(call).from_json(json.dumps(body), ignore_unknown_fields=False)


def _model(call: Call) -> Any:
    if call.path.endswith("sendDiagnosticInterrupt"):
        return compute_v1.SendDiagnosticInterruptInstanceResponse
    if call.method != "GET" or "/operations/" in call.path:
        return compute_v1.Operation
    return next((model for part, model in _MODELS.items() if f"/{part}" in call.path), compute_v1.Project)
