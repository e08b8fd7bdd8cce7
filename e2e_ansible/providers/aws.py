"""Provider `aws`: machines are instances of EC2, and boto3 does the talking."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e_ansible.errors import E2EError, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.aws_api import EXTRA, Api
from e2e_ansible.providers.base import DeploymentSpec, Finding, Operation, PowerResult
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.creation import Pace
from e2e_ansible.providers.cloud.driver import CloudProvider
from e2e_ansible.providers.cloud.machine import DEPLOYMENT_TAG, Machine, Order, Pending, Place, Resource
from e2e_ansible.providers.cloud.record import CloudStore
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["AwsCloud", "AwsProvider"]

_ANY_REGION = "us-east-1"  # who one is, is the same everywhere
_DEBIAN = "136693071363/debian-12-amd64-*"
_IMAGE = re.compile(r"(?P<id>ami-[0-9a-f]+)|(?P<owner>\d{12}|self|amazon|aws-marketplace)/(?P<name>.+)")

_POWER = {"running": PowerState.ON, "stopped": PowerState.OFF}
_ENDING = ("shutting-down", "terminated")
_LISTED = ("pending", "running", "stopping", "stopped", "shutting-down")

#: The quota of running on-demand instances is in vCPUs, and there is one for each of these groups of families.
_STANDARD_FAMILIES = "acdhimrtz"
_STANDARD_QUOTA = "L-1216C47A"
_SPECIAL_QUOTAS = {
    "dl": "L-6E869C2A",
    "f": "L-74FC7D96",
    "g": "L-DB2E81BA",
    "hpc": "L-F7808C92",
    "inf": "L-1945791B",
    "mac": "",
    "p": "L-417A185B",
    "trn": "L-2C3B7624",
    "u": "L-43DA4232",
    "vt": "L-DB2E81BA",
    "x": "L-7295265B",
}
_TYPES_IN_ONE_CALL = 100
_MOST_TOKENS = 20
_ROOT_GB = 8
_DATA_GB = 10
_DATA_DEVICES = "fghijklmnop"  # /dev/sdf to /dev/sdp are what AWS recommends


class AwsProvider(CloudProvider):
    """Instances of EC2. Their region is fixed when a deployment is prepared, and recorded."""

    def __init__(self, home: Path | None = None, pace: Pace | None = None) -> None:
        self._aws = AwsCloud(home)
        super().__init__(self._aws, home, pace)

    def prepare(self, spec: DeploymentSpec) -> Path:
        """See `CloudProvider.prepare`.

        Raises:
            UsageError: as there, or there is no region or no such region, or the image is not named as it must be.
        """
        region = self._aws.checked_region(spec.parameters)
        _image_words(str(spec.parameters.get("image") or self._aws.image))
        return super().prepare(spec.model_copy(update={"parameters": {**spec.parameters, "region": region}}))

    def power(self, deployment: str, node: str, operation: Operation, deadline_seconds: float) -> PowerResult:
        """See `CloudProvider.power`. A reset is a hard stop and a start, so a local disk is lost by it as well."""
        done = super().power(deployment, node, operation, deadline_seconds)
        if operation is not Operation.RESET or not self._aws.has_local_disk(deployment, node):
            return done
        return done.model_copy(update={"side_effects": (*done.side_effects, "its local disk is lost")})


class AwsCloud:
    """EC2 in the region that boto3 is set to, and in those of the deployments that are recorded below `home`."""

    name = "aws"
    user = "admin"
    image = _DEBIAN
    size = "t3.small"

    def __init__(self, home: Path | None = None) -> None:
        self._store = CloudStore(self.name, home)
        self._api = Api()
        self._types: dict[str, _Type] = {}

    def findings(self) -> Sequence[Finding]:
        """boto3, the region, the credentials and their right to list instances, up to the first that is bad."""
        looks = {"region": self._default_region, "credentials": self._who, "rights": self._may_list}
        findings = [sdk.finding("boto3", EXTRA)]
        for what, look in looks.items():
            if findings[-1].ok:
                findings.append(_finding(what, look))
        return findings

    def region(self, settings: Mapping[str, object] | None = None) -> str:
        """The region of these settings, else the one boto3 is set to.

        Raises:
            UsageError: there is none.
        """
        region = str((settings or {}).get("region") or "") or self._api.default_region()
        if not region:
            raise UsageError(
                "aws: no region is set", hint="set AWS_REGION, or parameters: {region: eu-central-1}"
            )
        return region

    def checked_region(self, settings: Mapping[str, object]) -> str:
        """The same, of those that there are.

        Raises:
            UsageError: there is none, or none of that name.
        """
        region = self.region(settings)
        self._api.check_region(region)
        return region

    def machines(self, deployment: str = "") -> Sequence[Machine]:
        """See `Cloud.machines`. Those that are about to be gone come first, so that a living one hides them."""
        found = [each for region in self._regions(deployment) for each in self._listed(region, deployment)]
        return sorted(found, key=lambda machine: machine.state not in _ENDING)

    def has_local_disk(self, deployment: str, node: str) -> bool:
        """Whether the instance of a node has a disk that does not outlive a stop."""
        return any(each.local_disk for each in self.machines(deployment) if each.node == node)

    def resources(self, deployment: str = "") -> Sequence[Resource]:
        """Volumes and network interfaces; normally they go with their instance. See `Cloud.resources`."""
        found = [
            *(each for region in self._regions(deployment) for each in self._volumes(region, deployment)),
            *(each for region in self._regions(deployment) for each in self._interfaces(region, deployment)),
        ]
        return [each for each in found if deployment in ("", each.tags.get(DEPLOYMENT_TAG))]

    def remaining(self, place: Place, settings: Mapping[str, object]) -> int | None:
        """By the quota of vCPUs of the size's group of families; None where the account may not ask for it."""
        quota = _quota_code(place.size)
        if not quota:
            return None
        region = self.region(settings)
        try:
            told = self._api.call(
                region, "get_service_quota", service="service-quotas", ServiceCode="ec2", QuotaCode=quota
            )
        except CloudError as error:
            if error.trouble is Trouble.TRANSIENT:
                raise
            return None
        used = self._used(region, quota)
        each = self._vcpus(region, [place.size])
        return (int(told["Quota"]["Value"]) - used) // each if each else None

    def create(self, order: Order) -> None:
        """See `Cloud.create`. The client token makes a repeated call harmless, whoever repeats it."""
        region = self.region(order.settings)
        request = self._request(region, order)
        for number in range(_MOST_TOKENS):
            # For an hour the token of an instance that is gone brings back the word of that one.
            token = f"{order.token}-{number}" if number else order.token
            told = self._api.call(region, "run_instances", ClientToken=token, **request)
            if told["Instances"][0]["State"]["Name"] not in _ENDING:
                return
        text = f"aws: {order.machine} was made and ended {_MOST_TOKENS} times within an hour"
        raise CloudError(text, Trouble.OTHER, hint="use another name for the deployment")

    def delete(self, machine: Machine) -> None:
        """See `Cloud.delete`. Its volumes and its network interface go with it."""
        if machine.state not in _ENDING:
            self._api.remove(_region_of(machine), "terminate_instances", InstanceIds=[machine.id])

    def remove(self, resource: Resource) -> None:
        """See `Cloud.remove`."""
        region, _, name = resource.id.partition("/")
        if resource.kind == "volume":
            self._api.remove(region, "delete_volume", VolumeId=name)
        else:
            self._api.remove(region, "delete_network_interface", NetworkInterfaceId=name)

    def power(self, machine: Machine, operation: Operation) -> Pending:
        """See `Cloud.power`. Of a reboot and of an NMI the provider never tells that they are done."""
        region = _region_of(machine)
        ids: dict[str, Any] = {"InstanceIds": [machine.id]}
        on = _Leg("stopped", "running", lambda: self._api.call(region, "start_instances", **ids))
        off = _Leg("running", "stopped", lambda: self._api.call(region, "stop_instances", **ids))
        hard = _Leg("running", "stopped", lambda: self._hard_stop(region, machine), also_from="stopping")
        match operation:
            case Operation.ON:
                way = [on]
            case Operation.OFF:
                way = [off]
            case Operation.HARD_OFF:
                way = [hard]
            case Operation.RESET:
                way = [hard, on]
            case Operation.REBOOT:
                self._api.call(region, "reboot_instances", **ids)
                return lambda: True
            case Operation.NMI:
                self._api.call(region, "send_diagnostic_interrupt", InstanceId=machine.id)
                return lambda: True
        travel = _Travel(machine, way, lambda: self._state(region, machine))
        travel()
        return travel

    def _hard_stop(self, region: str, machine: Machine) -> None:
        """`Force` alone tries an orderly stop first, which is no crash."""
        if not self._api.knows(region, "StopInstances", "SkipOsShutdown"):
            raise CloudError(
                f"aws: this boto3 cannot power {machine.node} off hard: it does not know SkipOsShutdown",
                Trouble.OTHER,
                hint="pip install -U 'boto3>=1.40'; or use crash_node method ssh",
            )
        self._api.call(region, "stop_instances", InstanceIds=[machine.id], Force=True, SkipOsShutdown=True)

    def _state(self, region: str, machine: Machine) -> tuple[str, str]:
        """The provider's word for the state, and why."""
        reservations = self._api.every(region, "describe_instances", "Reservations", InstanceIds=[machine.id])
        for instance in (each for reservation in reservations for each in reservation["Instances"]):
            return instance["State"]["Name"], instance.get("StateReason", {}).get("Message", "")
        return "terminated", ""

    def _regions(self, deployment: str) -> Sequence[str]:
        if deployment and (recorded := self._store.find(deployment)):
            return [self.region(recorded.record.settings)]
        records = [self._store.load(name).record for name in self._store.ids()]
        known = {str(record.settings.get("region") or "") for record in records}
        regions = sorted({self._api.default_region(), *known} - {""})
        return regions or [self.region()]

    def _listed(self, region: str, deployment: str) -> list[Machine]:
        states = {"Name": "instance-state-name", "Values": list(_LISTED)}
        filters = [states, _tagged(deployment)]
        reservations = self._api.every(region, "describe_instances", "Reservations", Filters=filters)
        instances = [each for reservation in reservations for each in reservation["Instances"]]
        types = self._known_types(region, {each["InstanceType"] for each in instances})
        machines = [_machine(each, types) for each in instances]
        # A filter of EC2 knows wildcards, and we do not.
        return [each for each in machines if deployment in ("", each.deployment)]

    def _volumes(self, region: str, deployment: str) -> Iterator[Resource]:
        filters = [_tagged(deployment)]
        for each in self._api.every(region, "describe_volumes", "Volumes", Filters=filters):
            if each["State"] not in ("deleting", "deleted"):
                yield Resource(
                    kind="volume",
                    id=f"{region}/{each['VolumeId']}",
                    tags=_tags(each.get("Tags", ())),
                    created=each["CreateTime"].timestamp(),
                )

    def _interfaces(self, region: str, deployment: str) -> Iterator[Resource]:
        filters = [_tagged(deployment)]
        found = self._api.every(region, "describe_network_interfaces", "NetworkInterfaces", Filters=filters)
        for each in found:
            name = f"{region}/{each['NetworkInterfaceId']}"
            yield Resource(kind="network interface", id=name, tags=_tags(each.get("TagSet", ())))

    def _request(self, region: str, order: Order) -> dict[str, Any]:
        """Everything of RunInstances but the token."""
        interface: dict[str, Any] = {
            "DeviceIndex": 0,
            "AssociatePublicIpAddress": order.settings.get("public_address") is not False,
            "DeleteOnTermination": True,
        }
        subnet = self._subnet(region, order)
        if subnet:
            interface["SubnetId"] = subnet
        if groups := self._groups(region, order.settings, subnet):
            interface["Groups"] = groups
        image = self._image(region, order.image)
        tags = {**order.tags, "Name": order.machine}
        request: dict[str, Any] = {
            "ImageId": image["ImageId"],
            "InstanceType": order.place.size,
            "MinCount": 1,
            "MaxCount": 1,
            "UserData": order.user_data,
            "BlockDeviceMappings": _disks(image, order.settings),
            "NetworkInterfaces": [interface],
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": [{"Key": key, "Value": tags[key]} for key in tags]}
                for kind in ("instance", "volume", "network-interface")
            ],
            "InstanceInitiatedShutdownBehavior": "stop",
            "MetadataOptions": {"HttpTokens": "required"},
        }
        if order.place.zone:
            request["Placement"] = {"AvailabilityZone": order.place.zone}
        return request

    def _image(self, region: str, wanted: str) -> Any:
        """The newest image of that name, or the one of that id."""
        words = _image_words(wanted)
        chosen: dict[str, Any] = {"ImageIds": [words["id"]]}
        if not words["id"]:
            filters = [
                {"Name": "name", "Values": [words["name"]]},
                {"Name": "state", "Values": ["available"]},
            ]
            chosen = {"Owners": [words["owner"]], "Filters": filters}
        images = self._api.every(region, "describe_images", "Images", **chosen)
        if not images:
            text = f"aws: in {region} there is no image {wanted}"
            raise CloudError(text, Trouble.MISSING, hint="parameters: {image: ami-... or OWNER/NAME*}")
        return max(images, key=lambda image: (image.get("CreationDate", ""), image.get("Name", "")))

    def _subnet(self, region: str, order: Order) -> str:
        """The one the suite names, else the first of its network in that zone, else the provider's default."""
        subnet, network = (str(order.settings.get(key) or "") for key in ("subnet", "network"))
        if subnet or not network:
            return subnet
        filters = [{"Name": "vpc-id", "Values": [network]}]
        if order.place.zone:
            filters.append({"Name": "availability-zone", "Values": [order.place.zone]})
        subnets = self._api.every(region, "describe_subnets", "Subnets", Filters=filters)
        if not subnets:
            where = f" in zone {order.place.zone}" if order.place.zone else ""
            raise CloudError(f"aws: network {network} has no subnet{where} of {region}", Trouble.MISSING)
        return min(str(each["SubnetId"]) for each in subnets)

    def _groups(self, region: str, settings: Mapping[str, object], subnet: str) -> list[str]:
        """Ids of the security groups, which the suite gives by id or by name."""
        wanted = settings.get("security_groups") or ()
        named = [wanted] if isinstance(wanted, str) else [str(each) for each in wanted]  # type: ignore[attr-defined]
        names = [each for each in named if not each.startswith("sg-")]
        if not names:
            return named
        filters = [
            {"Name": "group-name", "Values": names},
            {"Name": "vpc-id", "Values": [self._network(region, settings, subnet)]},
        ]
        found = self._api.every(region, "describe_security_groups", "SecurityGroups", Filters=filters)
        ids = {str(each["GroupName"]): str(each["GroupId"]) for each in found}
        if missing := [name for name in names if name not in ids]:
            text = f"aws: in {filters[1]['Values'][0]} there is no security group {', '.join(missing)}"
            raise CloudError(text, Trouble.MISSING)
        return [ids.get(each, each) for each in named]

    def _network(self, region: str, settings: Mapping[str, object], subnet: str) -> str:
        if subnet:
            (told,) = self._api.every(region, "describe_subnets", "Subnets", SubnetIds=[subnet])
            return str(told["VpcId"])
        filters = [{"Name": "is-default", "Values": ["true"]}]
        for told in self._api.every(region, "describe_vpcs", "Vpcs", Filters=filters):
            return str(told["VpcId"])
        text = f"aws: {region} has no default network"
        raise CloudError(text, Trouble.MISSING, hint="parameters: {network: vpc-...}")

    def _used(self, region: str, quota: str) -> int:
        """vCPUs of all running on-demand instances of the account that count for this quota."""
        states = {"Name": "instance-state-name", "Values": ["pending", "running"]}
        reservations = self._api.every(region, "describe_instances", "Reservations", Filters=[states])
        sizes = [
            each["InstanceType"]
            for reservation in reservations
            for each in reservation["Instances"]
            if not each.get("InstanceLifecycle") and _quota_code(each["InstanceType"]) == quota
        ]
        return self._vcpus(region, sizes)

    def _vcpus(self, region: str, sizes: Sequence[str]) -> int:
        types = self._known_types(region, set(sizes))
        return sum(types[size].vcpus for size in sizes)

    def _known_types(self, region: str, sizes: set[str]) -> Mapping[str, _Type]:
        """What is known about these types of instances. Without the right to ask, it is nothing."""
        unknown = sorted(sizes - set(self._types))
        for start in range(0, len(unknown), _TYPES_IN_ONE_CALL):
            asked = unknown[start : start + _TYPES_IN_ONE_CALL]
            self._types |= {size: _Type() for size in asked}
            try:
                told = self._api.every(
                    region, "describe_instance_types", "InstanceTypes", InstanceTypes=asked
                )
            except CloudError as error:
                if error.trouble is Trouble.TRANSIENT:
                    self._types = {size: self._types[size] for size in set(self._types) - set(asked)}
                    raise
                continue
            for each in told:
                vcpus = int(each["VCpuInfo"]["DefaultVCpus"])
                self._types[each["InstanceType"]] = _Type(vcpus, bool(each.get("InstanceStorageSupported")))
        return self._types

    def _default_region(self) -> str:
        """No finding to stop at: a suite may name its region itself."""
        return self._api.default_region() or "not set: every suite must name it (parameters: {region: ...})"

    def _who(self) -> str:
        region = self._api.default_region() or _ANY_REGION
        told = self._api.call(region, "get_caller_identity", service="sts")
        return f"{told['Arn']} of account {told['Account']}"

    def _may_list(self) -> str:
        if not self._api.default_region():
            return "not asked: no region is set"
        return f"{len(self.machines())} instances with our tags are there"


@dataclass(frozen=True)
class _Type:
    """A type of instances, as far as it is told."""

    vcpus: int = 0
    local_disk: bool = False


@dataclass
class _Leg:
    """From one state to another by a call that is made once."""

    origin: str
    goal: str
    ask: Callable[[], object]
    also_from: str = ""
    asked: bool = False
    left: bool = False


class _Travel:
    """A machine on its way over one or more legs; whether it has arrived."""

    def __init__(self, machine: Machine, way: list[_Leg], state: Callable[[], tuple[str, str]]) -> None:
        self._machine = machine
        self._way = way
        self._state = state

    def __call__(self) -> bool:
        state, reason = self._state()
        if state in _ENDING:
            raise CloudError(f"aws: {self._named} is {state}: {reason}", Trouble.MISSING)
        while self._way and state == self._way[0].goal:
            self._way.pop(0)
        if self._way:
            self._advance(self._way[0], state, reason)
        return not self._way

    @property
    def _named(self) -> str:
        return f"{self._machine.node} ({self._machine.machine})"

    def _advance(self, leg: _Leg, state: str, reason: str) -> None:
        """Old news may still name the origin; that it was left and is there again means that it did not work."""
        if not leg.asked and state in (leg.origin, leg.also_from):
            leg.ask()
            leg.asked = True
        elif leg.asked and leg.left and state == leg.origin:
            raise CloudError(f"aws: {self._named} is {state} again: {reason}", Trouble.OTHER)
        elif leg.asked and state != leg.origin:
            leg.left = True


def _machine(instance: Mapping[str, Any], types: Mapping[str, _Type]) -> Machine:
    tags = _tags(instance.get("Tags", ()))
    state = instance["State"]["Name"]
    size = instance["InstanceType"]
    return Machine(
        id=instance["InstanceId"],
        machine=tags.get("Name", instance["InstanceId"]),
        power=_POWER.get(state, PowerState.UNKNOWN),
        state=state,
        address=instance.get("PublicIpAddress", ""),
        private_address=instance.get("PrivateIpAddress", ""),
        place=Place(zone=instance["Placement"]["AvailabilityZone"], size=size),
        tags=tags,
        created=_created(instance),
        local_disk=types.get(size, _Type()).local_disk,
    )


def _created(instance: Mapping[str, Any]) -> float:
    """The time of the launch is that of the last start; the root volume was attached at the first one."""
    disks = [disk["Ebs"].get("AttachTime") for disk in instance.get("BlockDeviceMappings", ())]
    times = [each for each in (instance.get("LaunchTime"), *disks) if each]
    return min((each.timestamp() for each in times), default=0)


def _tags(listed: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in listed}


def _tagged(deployment: str) -> dict[str, Any]:
    if deployment:
        return {"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [deployment]}
    return {"Name": "tag-key", "Values": [DEPLOYMENT_TAG]}


def _region_of(machine: Machine) -> str:
    """`eu-central-1` of the zone `eu-central-1a`, and `us-west-2` of the local zone `us-west-2-lax-1a`."""
    found = re.match(r"[a-z]+(-[a-z]+)+-\d+", machine.place.zone)
    return found.group() if found else machine.place.zone


def _image_words(wanted: str) -> Mapping[str, str]:
    """`id`, or `owner` and `name`, of an image as a suite names it.

    Raises:
        UsageError: it is neither.
    """
    found = _IMAGE.fullmatch(wanted)
    if found is None:
        text = f"aws: the image {wanted!r} is neither an id nor an owner with a name"
        raise UsageError(text, hint=f"for example ami-0123456789abcdef0, or {_DEBIAN}")
    return {key: value or "" for key, value in found.groupdict().items()}


def _disks(image: Mapping[str, Any], settings: Mapping[str, object]) -> list[dict[str, Any]]:
    """The root volume and the data volumes; all of them end with the instance. Sizes are in GB."""
    number = int(str(settings.get("data_volumes_per_node") or 0))
    if number > len(_DATA_DEVICES):
        raise UsageError(f"aws: {number} data volumes are wanted, at most {len(_DATA_DEVICES)} can be")
    root = str(image.get("RootDeviceName") or "/dev/xvda")
    own = {each["DeviceName"]: each.get("Ebs", {}) for each in image.get("BlockDeviceMappings", ())}
    root_size = settings.get("root_volume_size") or own.get(root, {}).get("VolumeSize") or _ROOT_GB
    data_size = settings.get("data_volume_size") or _DATA_GB
    return [
        _disk(root, root_size),
        *(_disk(f"/dev/sd{letter}", data_size) for letter in _DATA_DEVICES[:number]),
    ]


def _disk(device: str, size: object) -> dict[str, Any]:
    volume = {"DeleteOnTermination": True, "VolumeType": "gp3", "VolumeSize": size}
    return {"DeviceName": device, "Ebs": volume}


def _quota_code(size: str) -> str:
    """The quota that counts this type of instances, '' where none is known."""
    letters = re.match(r"[a-z]*", size)
    family = letters.group() if letters else ""
    standard = _STANDARD_QUOTA if family and family[0] in _STANDARD_FAMILIES else ""
    return _SPECIAL_QUOTAS.get(family, standard)


def _finding(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name=f"aws {what}", ok=True, detail=look())
    except E2EError as error:
        return Finding(name=f"aws {what}", ok=False, detail=f"{error}; {error.hint}".removesuffix("; "))
