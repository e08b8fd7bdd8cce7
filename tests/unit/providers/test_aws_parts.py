"""What provider `aws` decides without asking anybody."""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from e2e_ansible import api
from e2e_ansible.errors import UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers import aws
from e2e_ansible.providers.aws.api import Api
from e2e_ansible.providers.aws.cloud import AwsCloud
from e2e_ansible.providers.aws.driver import AwsProvider
from e2e_ansible.providers.aws.image import image_words
from e2e_ansible.providers.aws.machine import created, region_of
from e2e_ansible.providers.aws.order import disks
from e2e_ansible.providers.aws.quota import quota_code
from e2e_ansible.providers.aws.travel import Leg, Travel
from e2e_ansible.providers.aws.trouble import trouble_of
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec, Operation
from e2e_ansible.providers.capabilities import Requirement, lookup
from e2e_ansible.providers.cloud.machine import Machine, Place
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.registry import get_provider

REPOSITORY = Path(__file__).resolve().parents[3]
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No profile of the user, no service of a cloud, and an endpoint where nothing listens."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")


def machine(**known: Any) -> Machine:
    return Machine(**{"id": "i-1", "machine": "one-n11", "power": PowerState.ON, "state": "running", **known})


@pytest.mark.parametrize(
    ("code", "status", "trouble"),
    [
        ("RequestLimitExceeded", 503, Trouble.TRANSIENT),
        ("Throttling", 400, Trouble.TRANSIENT),
        ("InternalError", 500, Trouble.TRANSIENT),
        ("Unavailable", 503, Trouble.TRANSIENT),
        ("", 502, Trouble.TRANSIENT),
        ("SomethingNew", 429, Trouble.TRANSIENT),
        ("InsufficientInstanceCapacity", 500, Trouble.CAPACITY),
        ("InsufficientHostCapacity", 500, Trouble.CAPACITY),
        ("Unsupported", 400, Trouble.CAPACITY),
        ("InstanceLimitExceeded", 400, Trouble.QUOTA),
        ("VcpuLimitExceeded", 400, Trouble.QUOTA),
        ("VolumeLimitExceeded", 400, Trouble.QUOTA),
        ("MaxSpotInstanceCountExceeded", 400, Trouble.QUOTA),
        ("UnauthorizedOperation", 403, Trouble.FORBIDDEN),
        ("AuthFailure", 401, Trouble.FORBIDDEN),
        ("InvalidClientTokenId", 403, Trouble.FORBIDDEN),
        ("ExpiredToken", 400, Trouble.FORBIDDEN),
        ("RequestExpired", 400, Trouble.FORBIDDEN),
        ("InvalidInstanceID.NotFound", 400, Trouble.MISSING),
        ("InvalidVolume.NotFound", 400, Trouble.MISSING),
        ("IncorrectInstanceState", 400, Trouble.CONFLICT),
        ("VolumeInUse", 400, Trouble.CONFLICT),
        ("InvalidParameterValue", 400, Trouble.OTHER),
    ],
)
def test_errors_by_their_code(code: str, status: int, trouble: Trouble) -> None:
    assert trouble_of(code, status) is trouble


@pytest.mark.parametrize(
    ("size", "quota"),
    [
        ("t3.small", "L-1216C47A"),
        ("im4gn.large", "L-1216C47A"),
        ("z1d.large", "L-1216C47A"),
        ("inf1.xlarge", "L-1945791B"),
        ("g4dn.xlarge", "L-DB2E81BA"),
        ("vt1.3xlarge", "L-DB2E81BA"),
        ("p5.48xlarge", "L-417A185B"),
        ("hpc7a.12xlarge", "L-F7808C92"),
        ("u-6tb1.metal", "L-43DA4232"),
        ("mac1.metal", ""),
        ("", ""),
        ("9x", ""),
    ],
)
def test_quotas_by_the_family(size: str, quota: str) -> None:
    assert quota_code(size) == quota


@pytest.mark.parametrize(
    ("zone", "region"),
    [
        ("eu-central-1a", "eu-central-1"),
        ("us-gov-west-1b", "us-gov-west-1"),
        ("us-west-2-lax-1a", "us-west-2"),
        ("us-east-1-wl1-bos-wlz-1", "us-east-1"),
    ],
)
def test_regions_of_zones(zone: str, region: str) -> None:
    assert region_of(machine(place=Place(zone=zone))) == region


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("ami-0123456789abcdef0", ("ami-0123456789abcdef0", "", "")),
        ("136693071363/debian-12-amd64-*", ("", "136693071363", "debian-12-amd64-*")),
        ("099720109477/ubuntu/images/a-*", ("", "099720109477", "ubuntu/images/a-*")),
        ("self/mine", ("", "self", "mine")),
    ],
)
def test_images_as_a_suite_names_them(image: str, words: tuple[str, str, str]) -> None:
    assert tuple(image_words(image).values()) == words


@pytest.mark.parametrize("image", ["debian-12", "ami-", "AMI-01", "1234/x", "self/", "ami-0x/y"])
def test_other_images_are_refused_before_anything_is_recorded(image: str, tmp_path: Path) -> None:
    spec = DeploymentSpec(id="one", nodes=(NodeSpec(name="n11"),), parameters={"image": image})
    with pytest.raises(UsageError, match="neither an id nor an owner") as error:
        AwsProvider(tmp_path).prepare(spec)
    assert "ami-0123456789abcdef0" in error.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("region", "hint"), [("eu-central1", "did you mean eu-central-1?"), ("mars", "for example eu-central-1")]
)
def test_regions_that_are_none_are_refused(
    region: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    spec = DeploymentSpec(id="one", nodes=(NodeSpec(name="n11"),), parameters={"region": region})
    with pytest.raises(UsageError, match=f"no region '{region}'") as error:
        AwsProvider(tmp_path).prepare(spec)
    assert error.value.hint == hint
    assert AwsCloud(tmp_path).checked_region({"region": "us-gov-west-1"})


def test_more_disks_than_there_are_names_are_refused() -> None:
    assert len(disks({}, {"data_volumes_per_node": 11})) == 12
    with pytest.raises(UsageError, match="at most 11"):
        disks({}, {"data_volumes_per_node": 12})


def test_the_root_disk_is_as_large_as_the_image_wants() -> None:
    image = {
        "RootDeviceName": "/dev/sda1",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 30}}],
    }
    assert [disk["Ebs"]["VolumeSize"] for disk in disks(image, {})] == [30]
    assert [disk["Ebs"]["VolumeSize"] for disk in disks(image, {"root_volume_size": 50})] == [50]


def test_a_machine_is_as_old_as_its_root_disk() -> None:
    """The time of the launch is that of the last start."""
    first, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    instance = {"LaunchTime": last, "BlockDeviceMappings": [{"Ebs": {"AttachTime": first}}]}
    assert created(instance) == first.timestamp()
    assert created({"LaunchTime": last}) == last.timestamp()


class Road:
    """A machine that goes through some states, and what is asked of it on the way."""

    def __init__(self, states: Sequence[str], *legs: tuple[str, str, str]) -> None:
        self.asked: list[str] = []
        self._states = iter(states)
        way = [
            Leg(origin, goal, lambda goal=goal: self.asked.append(goal), also_from=also)
            for origin, goal, also in legs
        ]
        self.travel = Travel(machine(), way, lambda: (next(self._states), "told why"))

    def looks(self) -> Iterator[bool]:
        while True:
            yield self.travel()


ON = ("stopped", "running", "")
HARD = ("running", "stopped", "stopping")


@pytest.mark.parametrize(
    ("states", "legs", "asked"),
    [
        (["stopped", "stopped", "pending", "running"], [ON], ["running"]),
        (["stopping", "stopped", "running"], [ON], ["running"]),
        (["running"], [ON], []),
        (["stopping", "stopping", "stopped"], [HARD], ["stopped"]),
        (["running", "stopping", "stopped", "pending", "running"], [HARD, ON], ["stopped", "running"]),
        (["stopped", "running"], [HARD, ON], ["running"]),
    ],
)
def test_a_way_is_asked_for_once(
    states: list[str], legs: list[tuple[str, str, str]], asked: list[str]
) -> None:
    road = Road(states, *legs)
    looks = road.looks()
    assert [next(looks) for _ in states] == [*[False] * (len(states) - 1), True]
    assert road.asked == asked


def test_a_start_that_does_not_work_is_an_error() -> None:
    looks = Road(["stopped", "pending", "stopped"], ON).looks()
    assert [next(looks), next(looks)] == [False, False]
    with pytest.raises(CloudError, match="stopped again: told why"):
        next(looks)


@pytest.mark.parametrize("state", ["shutting-down", "terminated"])
def test_a_machine_that_ends_arrives_nowhere(state: str) -> None:
    with pytest.raises(CloudError, match=state) as error:
        Road([state], ON).travel()
    assert error.value.trouble is Trouble.MISSING


def test_nothing_listens_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    with pytest.raises(CloudError, match="GetCallerIdentity") as error:
        Api().call("eu-central-1", "get_caller_identity", service="sts")
    assert error.value.trouble is Trouble.TRANSIENT


@pytest.mark.parametrize(
    ("variables", "trouble", "said"),
    [
        ({}, Trouble.FORBIDDEN, "AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "A"}, Trouble.FORBIDDEN, "AWS_ACCESS_KEY_ID"),
        ({"AWS_PROFILE": "nobody"}, Trouble.FORBIDDEN, "AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, Trouble.OTHER, "AWS_ENDPOINT_URL"),
        ({"AWS_REGION": "no region"}, Trouble.OTHER, ""),
    ],
)
def test_settings_that_are_wrong(
    variables: dict[str, str], trouble: Trouble, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    region = os.environ["AWS_REGION"]
    with pytest.raises(CloudError) as error:
        Api().call(region, "get_caller_identity", service="sts")
    assert error.value.trouble is trouble
    assert said in error.value.hint


def test_without_the_sdk_the_pip_command_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in {"boto3", "botocore"}]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setitem(sys.modules, "botocore", None)
    provider = get_provider("aws")
    with pytest.raises(UsageError) as error:
        provider.deployments()
    assert error.value.hint == "pip install 'e2e-ansible[aws]'"
    (finding,) = provider.doctor()
    assert not finding.ok
    assert "pip install 'e2e-ansible[aws]'" in finding.detail


def test_an_sdk_without_the_hard_stop_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An orderly stop instead would pass for a crash."""
    folder = tmp_path / "ec2" / "2016-11-15"
    folder.mkdir(parents=True)
    model = _older_model()
    (folder / "service-2.json").write_text(json.dumps(model))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    with pytest.raises(CloudError, match="does not know SkipOsShutdown") as error:
        AwsCloud(tmp_path)._hard_stop("eu-central-1", machine(tags={"e2e-node": "n11"}))
    assert "boto3>=1.40" in error.value.hint


def _older_model() -> dict[str, Any]:
    """Of EC2, with the one call that the test needs, as it was before."""
    import botocore

    file = Path(botocore.__file__).parent / "data/ec2/2016-11-15/service-2.json.gz"
    model: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    request = model["shapes"]["StopInstancesRequest"]
    del request["members"]["SkipOsShutdown"]
    shape = {"StopInstancesRequest": request}
    shape |= {name: model["shapes"][name] for name in ("InstanceIdStringList", "InstanceId", "Boolean")}
    return {
        "version": "2.0",
        "metadata": model["metadata"],
        "operations": {
            "StopInstances": {
                "name": "StopInstances",
                "http": model["operations"]["StopInstances"]["http"],
                "input": {"shape": "StopInstancesRequest"},
            }
        },
        "shapes": shape,
    }


def test_the_example_can_be_planned_and_stands_in_the_manual() -> None:
    example = REPOSITORY / "examples/aws.yaml"
    (test,) = api.plan(api.load(str(example)))
    assert test.provider == "aws"
    text = example.read_text()
    assert text[text.index("test_suites:") :] in (REPOSITORY / "docs/providers/aws.md").read_text()


@pytest.mark.parametrize("requirement", list(Requirement))
def test_every_cell_of_the_power_table_is_yes(requirement: Requirement) -> None:
    assert lookup("aws", requirement).supported


def test_the_manual_names_every_right() -> None:
    """Of all calls that the provider makes."""
    calls = re.compile(r'"((?:delete|describe|get|reboot|run|send|start|stop|terminate)_[a-z_]+)"')
    sources = Path(aws.__file__).parent.glob("*.py")
    made = {call for source in sources for call in calls.findall(source.read_text())}
    services = {"get_caller_identity": "sts", "get_service_quota": "servicequotas"}
    text = (REPOSITORY / "docs/providers/aws.md").read_text()
    wanted = {f"{services.get(call, 'ec2')}:{call.title().replace('_', '')}" for call in made}
    assert len(wanted) > 15
    assert [right for right in wanted if right not in text] == []
    assert set(re.findall(r'"((?:ec2|servicequotas):\w+)"', text)) - wanted == {
        "ec2:CreateTags",
        "ec2:CreateAction",
    }


def test_the_manual_names_every_operation() -> None:
    text = (REPOSITORY / "docs/providers/aws.md").read_text()
    assert [each for each in Operation if f"| `{each.value}`" not in text] == []
