"""Instances of EC2, by boto3 over a socket to moto, with a failing proxy between them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import pytest
from failing_proxy import Held, Request, answer, refuse, rewrite
from moto_server import LOOK, RUN, FakeAws, accepted, moto_server, refusal, served, settings

from e2e_ansible.errors import CleanUpError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.aws.driver import AwsProvider
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec, Operation
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from tests.clouds.cases import DEPLOYMENT, REPOSITORY, Adapter, CloudCases, World

KEYS = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
HARD_STOP = "StopInstances Force SkipOsShutdown"
SERVER: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One moto for all tests; each begins with an empty one."""
    with moto_server(tmp_path_factory.mktemp("moto") / "log") as url:
        SERVER.append(url)
        yield
        SERVER.clear()


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No profile of the user, and no service of a cloud that this machine may be in."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in settings("").items():
        if name not in KEYS:
            monkeypatch.setenv(name, value)


def serve() -> AbstractContextManager[FakeAws]:
    """The moto of these tests."""
    return served(SERVER[0])


class TestAws(CloudCases):
    """All cases that every provider is held against."""

    adapter: ClassVar[Adapter] = Adapter(
        provider="aws",
        make=AwsProvider,
        serve=serve,
        environment=lambda fake, _: {name: settings(fake.url)[name] for name in KEYS},
        secret=settings("")["AWS_SECRET_ACCESS_KEY"],
        parameters={"zones": ["eu-central-1a"]},
        zones=("eu-central-1a", "eu-central-1b"),
        words={
            Operation.ON: ["StartInstances"],
            Operation.OFF: ["StopInstances"],
            Operation.HARD_OFF: [HARD_STOP],
            Operation.REBOOT: ["RebootInstances"],
            Operation.RESET: [HARD_STOP, "StartInstances"],
            Operation.NMI: ["SendDiagnosticInterrupt"],
        },
        quota_is_told=True,
        credential="AWS_ACCESS_KEY_ID",
    )

    def test_no_address_is_anybodys(self, world: World) -> None:
        """Those of moto are made up, and could be reached."""
        world.create(names=("n11",))
        world.provider.power(DEPLOYMENT, "n11", Operation.OFF, 5)
        world.provider.power(DEPLOYMENT, "n11", Operation.ON, 5)
        assert world.nodes()["n11"].address.startswith("127.")
        assert str(world.nodes()["n11"].variables["e2e_private_address"]).startswith("127.")

    def test_newest_image_and_everything_of_it_tagged(self, world: World) -> None:
        world.create(names=("n11",))
        order = _order(world)
        assert order["ImageId"] == "ami-0d0000000000000a3"
        assert [order[f"TagSpecification.{number}.ResourceType"] for number in (1, 2, 3)] == [
            "instance",
            "volume",
            "network-interface",
        ]
        wanted = {
            "InstanceInitiatedShutdownBehavior": "stop",
            "MetadataOptions.HttpTokens": "required",
            "NetworkInterface.1.AssociatePublicIpAddress": "true",
            "NetworkInterface.1.DeleteOnTermination": "true",
            "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
        }
        assert wanted.items() <= order.items()
        (instance,) = world.fake.living()
        (volume,) = world.fake.ec2.describe_volumes()["Volumes"]
        assert _tags(volume) == _tags(instance)
        assert _tags(volume)["e2e-deployment"] == DEPLOYMENT

    def test_what_the_suite_says_of_network_and_disks(self, world: World) -> None:
        ec2 = world.fake.ec2
        network = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnets = {
            zone: ec2.create_subnet(VpcId=network, CidrBlock=f"10.9.{at}.0/24", AvailabilityZone=zone)
            for at, zone in enumerate(self.adapter.zones)
        }
        group = ec2.create_security_group(GroupName="db", Description="db", VpcId=network)["GroupId"]
        world.create(
            names=("n11",),
            network=network,
            security_groups=["db"],
            public_address=False,
            root_volume_size=20,
            data_volumes_per_node=2,
            data_volume_size=5,
        )
        (instance,) = world.fake.living()
        assert instance["SubnetId"] == subnets[self.adapter.zones[0]]["Subnet"]["SubnetId"]
        assert [each["GroupId"] for each in instance["NetworkInterfaces"][0]["Groups"]] == [group]
        assert sorted(each["Size"] for each in ec2.describe_volumes()["Volumes"]) == [5, 5, 20]
        assert "PublicIpAddress" not in instance
        assert world.nodes()["n11"].address == instance["PrivateIpAddress"].replace("10.", "127.", 1)
        assert world.provider.destroy(DEPLOYMENT)
        assert world.fake.left() == []

    @pytest.mark.parametrize(
        ("parameters", "said"),
        [
            ({"image": "136693071363/debian-13-*"}, "no image 136693071363/debian-13-*"),
            ({"image": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
            ({"security_groups": ["web"]}, "no security group web"),
            ({"network": "vpc-12345678"}, "network vpc-12345678 has no subnet in zone eu-central-1a"),
        ],
    )
    def test_what_is_not_there_is_named(self, world: World, parameters: dict[str, Any], said: str) -> None:
        with pytest.raises(CloudError, match=re.escape(said)) as error:
            world.create(names=("n11",), **parameters)
        assert error.value.trouble is Trouble.MISSING
        assert world.fake.made() == []

    def test_token_is_the_same_for_a_call_that_is_repeated(self, world: World) -> None:
        world.fake.proxy.fail(RUN, refuse)
        world.create(names=("n11",))
        first, second = [_parameters(request)["ClientToken"] for request in world.fake.proxy.requests(RUN)]
        assert first == second
        world.provider.destroy(DEPLOYMENT)
        world.create(names=("n11",))
        assert _parameters(world.fake.proxy.requests(RUN)[-1])["ClientToken"] != first

    def test_token_of_an_instance_that_is_gone_is_not_used_again(self, world: World) -> None:
        """The API answers with that instance, and makes none."""
        gone = "<instancesSet><item><instanceId>i-1</instanceId><instanceState><name>terminated</name>"
        gone += "</instanceState></item></instancesSet>"
        world.fake.proxy.fail(RUN, answer(200, f"<RunInstancesResponse>{gone}</RunInstancesResponse>"))
        world.create(names=("n11",))
        first, second = [_parameters(request)["ClientToken"] for request in world.fake.proxy.requests(RUN)]
        assert second == f"{first}-1"
        assert len(world.fake.machines()) == 1

    def test_orphaned_disk_and_interface_are_found_and_removed(self, world: World, tmp_path: Path) -> None:
        tags = [{"Key": "e2e-deployment", "Value": DEPLOYMENT}, {"Key": "e2e-expires", "Value": "1"}]
        ec2 = world.fake.ec2
        volume = ec2.create_volume(AvailabilityZone="eu-central-1a", Size=1)["VolumeId"]
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        ec2.create_tags(Resources=[volume, interface], Tags=tags)
        ec2.create_volume(AvailabilityZone="eu-central-1a", Size=1)
        (found,) = world.found()
        assert found.things == (
            f"volume eu-central-1/{volume}",
            f"network interface eu-central-1/{interface}",
        )
        assert found.expires == 1
        assert world.elsewhere(tmp_path / "elsewhere").destroy(DEPLOYMENT) is True
        assert (len(world.fake.left()), world.found()) == (1, [])

    @pytest.mark.parametrize("ending", ["removed from elsewhere", "created to the end"])
    def test_killed_between_two_creates(self, world: World, tmp_path: Path, ending: str) -> None:
        """The second order is heard, and the process that gave it is killed before it knows."""
        world.prepare()
        held = Held()
        world.fake.proxy.fail(RUN, held, after=1)
        code = (
            "import pathlib, sys; from e2e_ansible.providers.aws.driver import AwsProvider;"
            f"AwsProvider(pathlib.Path(sys.argv[1])).create({DEPLOYMENT!r})"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(world.home)], cwd=REPOSITORY, stderr=subprocess.DEVNULL
        )
        try:
            assert held.heard.wait(30)
        finally:
            process.kill()
            process.wait()
            held.release()
        assert (len(world.fake.machines()), len(world.found()[0].things)) == (2, 4)
        if ending == "removed from elsewhere":
            elsewhere = world.elsewhere(tmp_path / "elsewhere")
            assert elsewhere.destroy(DEPLOYMENT) is True
            assert (world.fake.machines(), world.fake.left(), elsewhere.deployed()) == ([], [], [])
        else:
            assert world.provider.create(DEPLOYMENT) is True
            assert len(world.fake.made()) == 3, "what the killed process had made is taken over"

    def test_the_inventory_of_the_collection_of_aws(self, world: World) -> None:
        """With it in place of ours, the nodes have their names, and the roles find what they need."""
        world.create()
        world.provider.power(DEPLOYMENT, "n12", Operation.OFF, 10)
        source = ("-i", "inventories/upstream/aws_ec2.yml")
        listed = json.loads(world.run("ansible-inventory", *source, "--list").stdout)
        running, stopped = (listed[group]["hosts"] for group in ("power_running", "power_stopped"))
        assert (sorted(running), stopped) == (["n11", "n13"], ["n12"]), "AWS lists in no order"
        address = world.nodes()["n11"].variables["ansible_host"]
        assert listed["_meta"]["hostvars"]["n11"]["ansible_host"] == {"__ansible_unsafe": address}
        on = ("-l", "n12", "-e", "node_power_operation=state")
        done = world.run("ansible-playbook", *source, "playbooks/node_power.yml", *on)
        assert "n12 is off" in done.stdout, done.stdout + done.stderr

    def test_endpoint_that_speaks_no_tls(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", world.fake.url.replace("http:", "https:"))
        with pytest.raises(CloudError, match="SSL") as error:
            world.elsewhere(world.home).deployments()
        assert "AWS_ENDPOINT_URL" in error.value.hint

    def test_region_is_fixed_by_the_record(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.create(names=("n11",), region="us-east-1", zones=["us-east-1a"])
        assert world.fake.machines() == []
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        assert world.provider.deployments() == [DEPLOYMENT]
        world.fake.proxy.reset()
        assert world.nodes()["n11"].power is PowerState.ON
        assert world.fake.proxy.count("/eu-west-1/ec2") == 0
        assert world.provider.power(DEPLOYMENT, "n11", Operation.OFF, 5).after is PowerState.OFF
        assert len(world.found()[0].things) == 2
        world.provider.destroy(DEPLOYMENT)
        assert world.elsewhere(world.home / "other").deployed() == []
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert world.elsewhere(world.home / "other").deployed() == []

    def test_no_region(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_REGION")
        provider = world.elsewhere(world.home)
        with pytest.raises(UsageError) as error:
            provider.prepare(DeploymentSpec(id="none", nodes=(NodeSpec(name="n11"),)))
        assert "AWS_REGION" in error.value.hint
        findings = {finding.name: finding for finding in provider.doctor()}
        assert all(finding.ok for finding in findings.values())
        assert "every suite must name it" in findings["aws region"].detail

    def test_quota_counts_what_others_run(self, world: World) -> None:
        """On-demand instances of the group, running ones only."""
        for size, market in [("t3.small", ""), ("g4dn.xlarge", ""), ("t3.small", "spot")]:
            options = {"InstanceMarketOptions": {"MarketType": market}} if market else {}
            image = "ami-0d0000000000000a1"
            world.fake.ec2.run_instances(ImageId=image, InstanceType=size, MinCount=1, MaxCount=1, **options)
        world.fake.allow(3)
        with pytest.raises(CloudError, match="and the quota leaves 2"):
            world.create()
        assert len(world.fake.made()) == 3

    def test_quota_that_may_not_be_asked_for_is_not_known(self, world: World) -> None:
        world.fake.proxy.fail("GetServiceQuota", answer(400, '{"__type": "AccessDeniedException"}'), times=9)
        assert world.create() is True

    def test_quota_that_is_refused_by_the_api_leaves_nothing(self, world: World) -> None:
        world.fake.proxy.fail(RUN, refusal(400, "VcpuLimitExceeded"), after=1)
        with pytest.raises(CloudError) as error:
            world.create()
        assert error.value.trouble is Trouble.QUOTA
        assert (world.fake.machines(), world.fake.left()) == ([], [])

    def test_right_that_is_missing(self, world: World) -> None:
        told = "You are not authorized. Encoded authorization failure message: c2VjcmV0"
        world.fake.proxy.fail(RUN, refusal(403, "UnauthorizedOperation", told), times=9)
        with pytest.raises(CloudError) as error:
            world.create()
        assert error.value.trouble is Trouble.FORBIDDEN
        assert str(error.value) == "aws: RunInstances: You are not authorized. (UnauthorizedOperation)"
        assert "docs/providers/aws.md" in error.value.hint

    def test_what_was_signed_is_not_told(self, world: World) -> None:
        told = "The signature does not match.\n\nThe canonical string was\nx-amz-security-token:hush"
        world.fake.proxy.fail("", refusal(403, "SignatureDoesNotMatch", told), times=9)
        with pytest.raises(CloudError) as error:
            world.provider.deployments()
        assert (
            str(error.value)
            == "aws: DescribeInstances: The signature does not match. (SignatureDoesNotMatch)"
        )

    def test_local_disk_is_lost(self, world: World) -> None:
        world.create(names=("n11",), instance_type="m5d.large")
        lost = "its local disk is lost"
        for operation, effect in [("off", True), ("on", False), ("reset", True), ("reboot", False)]:
            done = world.provider.power(DEPLOYMENT, "n11", Operation(operation), 5)
            assert (lost in done.side_effects) is effect, operation
            assert done.address_changed is (operation != "reboot")

    def test_machine_that_may_not_be_terminated_is_told(self, world: World) -> None:
        world.create(names=("n11",))
        (instance,) = world.fake.living()
        world.fake.ec2.modify_instance_attribute(
            InstanceId=instance["InstanceId"], DisableApiTermination={"Value": True}
        )
        with pytest.raises(CleanUpError, match="OperationNotPermitted"):
            world.hurried().destroy(DEPLOYMENT)
        assert len(world.fake.machines()) == 1

    def test_start_that_falls_back_is_told_at_once(self, world: World) -> None:
        world.create(names=("n11",))
        world.provider.power(DEPLOYMENT, "n11", Operation.OFF, 5)
        world.fake.proxy.fail("Action=StartInstances", accepted("StartInstances"))
        world.fake.proxy.fail(LOOK, rewrite("<name>stopped</name>", "<name>pending</name>"), after=2)
        with pytest.raises(CloudError, match="is stopped again"):
            world.provider.power(DEPLOYMENT, "n11", Operation.ON, 30)

    def test_nmi(self, world: World) -> None:
        """moto has no such call, so that it is sent is all that is shown."""
        world.create(names=("n11",))
        world.fake.proxy.fail("SendDiagnosticInterrupt", accepted("SendDiagnosticInterrupt"))
        assert world.provider.power(DEPLOYMENT, "n11", Operation.NMI, 5).after is PowerState.ON
        assert world.fake.acts() == ["SendDiagnosticInterrupt"]

    def test_hostile_name_stays_text(self, world: World) -> None:
        world.create(names=("n11",))
        (instance,) = world.fake.living()
        for hostile in ("{{ 1 + 1 }}", "{% for x in [1] %}template{% endfor %}"):
            world.fake.ec2.create_tags(
                Resources=[instance["InstanceId"]], Tags=[{"Key": "Name", "Value": hostile}]
            )
            said = world.run(
                *("ansible", "n11", "-i", world.inventory, "-m", "ansible.builtin.debug"),
                *("-a", "msg={{ e2e_machine }}"),
            )
            assert f'"msg": "{hostile}"' in said.stdout or f"msg: '{hostile}'" in said.stdout, said.stdout


def _parameters(request: Request) -> dict[str, str]:
    """What a call of EC2 says."""
    return dict(parse_qsl(request.body.decode()))


def _order(world: World) -> dict[str, str]:
    (request,) = world.fake.proxy.requests(RUN)
    return _parameters(request)


def _tags(described: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described["Tags"]}
