"""Instances of Yandex Compute Cloud, by their SDK over TLS to a fake folder."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from e2e_ansible.errors import E2EError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Operation
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.yandex.driver import YandexProvider
from tests.clouds.cases import DEPLOYMENT, PACE, Adapter, CloudCases, World
from tests.clouds.yandex import ACCOUNT_ID, IAM, KEY_ID, OAUTH, ZONES, served


class TestYandex(CloudCases):
    """All cases that every provider is held against."""

    adapter = Adapter(
        provider="yandex",
        make=YandexProvider,
        serve=served,
        environment=lambda fake, folder: fake.environment(folder),
        secret=OAUTH,
        parameters={"zones": [ZONES[0]]},
        zones=ZONES,
        words={
            Operation.ON: ["Start"],
            Operation.OFF: ["Stop"],
            Operation.REBOOT: ["Restart"],
        },
        quota_is_told=True,
        credential="YC_",
    )

    def test_capacity_that_only_the_operation_tells(self, world: World) -> None:
        """All three are ordered; the operation of the second ends with the reason."""
        world.fake.lack_later(2)
        assert world.create(zones=list(ZONES)) is True
        assert world.fake.zones() == [ZONES[1]] * 3
        assert {node.power for node in world.nodes().values()} == {PowerState.ON}
        ledger = world.provider._store.load(DEPLOYMENT).ledger()
        assert any("Not enough resources" in act.error for act in ledger)

    def test_capacity_that_only_the_operation_tells_and_no_other_place(self, world: World) -> None:
        world.fake.lack_later(2)
        with pytest.raises(CloudError, match="Not enough resources") as error:
            world.create()
        assert error.value.trouble is Trouble.CAPACITY
        assert (world.fake.machines(), world.fake.left()) == ([], [])

    def test_quota_that_may_not_be_read(self, world: World) -> None:
        """Then Yandex refuses the third, and the first two are removed."""
        world.fake.allow(2)
        world.fake.hide_quotas()
        with pytest.raises(CloudError, match="Quota limit") as error:
            world.create()
        assert error.value.trouble is Trouble.QUOTA
        assert len(world.fake.made()) == 2
        assert (world.fake.machines(), world.fake.left()) == ([], [])

    def test_key_file_of_a_service_account(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        world.fake.public_key = key.public_key().public_bytes(serialization.Encoding.PEM, form)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        file = world.home.parent / "key.json"
        file.write_text(json.dumps({"id": KEY_ID, "service_account_id": ACCOUNT_ID, "private_key": secret}))
        monkeypatch.delenv("YC_TOKEN")
        monkeypatch.setenv("YC_SERVICE_ACCOUNT_KEY_FILE", str(file))
        assert YandexProvider(world.home, PACE).deployments() == []
        file.write_text("{}")
        with pytest.raises(CloudError) as error:
            YandexProvider(world.home, PACE).deployments()
        assert error.value.trouble is Trouble.FORBIDDEN

    def test_iam_token(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("YC_TOKEN", IAM)
        assert YandexProvider(world.home, PACE).deployments() == []
        monkeypatch.setenv("YC_TOKEN", "t1.other")
        with pytest.raises(CloudError) as error:
            YandexProvider(world.home, PACE).deployments()
        assert error.value.trouble is Trouble.FORBIDDEN

    def test_wrong_oauth_token_is_told_at_once(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is refused by the service of tokens, which gRPC tells as if nobody had answered."""
        monkeypatch.setenv("YC_TOKEN", "y0_wrong-1234")
        with pytest.raises(CloudError) as error:
            YandexProvider(world.home, PACE).deployments()
        assert error.value.trouble is Trouble.FORBIDDEN
        assert "y0_wrong-1234" not in str(error.value)

    def test_volumes_and_private_addresses(self, world: World) -> None:
        world.create(names=("n11",), data_volumes_per_node=2, data_volume_size=5, public_address=False)
        assert len(world.fake.left()) == 3
        (instance,) = world.fake.instances.values()
        assert all(disk.auto_delete for disk in (instance.boot_disk, *instance.secondary_disks))
        assert world.nodes()["n11"].variables["ansible_host"].startswith("10.0.0.")

    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"instance_type": "m5.large"}, "instance_type 'm5.large' is no size"),
            ({"subnet": "nowhere"}, "no subnet nowhere in zone"),
            ({"image": "debian-99"}, "family 'debian-99'"),
            ({"region": "ru-central1"}, "region"),
            ({"zones": []}, "in which zone"),
        ],
    )
    def test_what_cannot_be(self, world: World, parameters: dict[str, object], words: str) -> None:
        with pytest.raises(E2EError, match=words) as error:
            world.create(names=("n11",), **parameters)
        assert error.value.hint
        assert world.fake.made() == []

    def test_folder_is_missing(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("YC_FOLDER_ID")
        with pytest.raises(E2EError, match="YC_FOLDER_ID") as error:
            YandexProvider(world.home, PACE).deployments()
        assert not isinstance(error.value, UsageError)
