"""Instances of EC2 as machines, and what else there is of them as resources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.aws.api import Api
from e2e_ansible.providers.aws.size import Size
from e2e_ansible.providers.cloud.machine import DEPLOYMENT_TAG, Machine, Place, Resource

__all__ = [
    "ENDING",
    "created",
    "interfaces",
    "read_machine",
    "region_of",
    "state_of",
    "tagged",
    "volumes",
]

ENDING = ("shutting-down", "terminated")
"""States of an instance that nothing brings back."""

_POWER = {"running": PowerState.ON, "stopped": PowerState.OFF}


def read_machine(instance: Mapping[str, Any], sizes: Mapping[str, Size]) -> Machine:
    """What the API says about an instance."""
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
        ending=state in ENDING,
        created=created(instance),
        local_disk=sizes.get(size, Size()).local_disk,
    )


def created(instance: Mapping[str, Any]) -> float:
    """The time of the launch is that of the last start; the root volume was attached at the first one."""
    disks = [disk["Ebs"].get("AttachTime") for disk in instance.get("BlockDeviceMappings", ())]
    times = [each for each in (instance.get("LaunchTime"), *disks) if each]
    return min((each.timestamp() for each in times), default=0)


def state_of(api: Api, region: str, machine: Machine) -> tuple[str, str]:
    """The provider's word for the state now, and why."""
    for instance in api.instances(region, InstanceIds=[machine.id]):
        return instance["State"]["Name"], instance.get("StateReason", {}).get("Message", "")
    return "terminated", ""


def region_of(machine: Machine) -> str:
    """`eu-central-1` of the zone `eu-central-1a`, and `us-west-2` of the local zone `us-west-2-lax-1a`."""
    found = re.match(r"[a-z]+(-[a-z]+)+-\d+", machine.place.zone)
    return found.group() if found else machine.place.zone


def volumes(api: Api, region: str, deployment: str) -> Iterator[Resource]:
    """Volumes with our tags."""
    for each in api.every(region, "describe_volumes", "Volumes", Filters=[tagged(deployment)]):
        if each["State"] not in ("deleting", "deleted"):
            yield Resource(
                kind="volume",
                id=f"{region}/{each['VolumeId']}",
                tags=_tags(each.get("Tags", ())),
                created=each["CreateTime"].timestamp(),
            )


def interfaces(api: Api, region: str, deployment: str) -> Iterator[Resource]:
    """Network interfaces with our tags."""
    filters = [tagged(deployment)]
    for each in api.every(region, "describe_network_interfaces", "NetworkInterfaces", Filters=filters):
        name = f"{region}/{each['NetworkInterfaceId']}"
        yield Resource(kind="network interface", id=name, tags=_tags(each.get("TagSet", ())))


def tagged(deployment: str) -> dict[str, Any]:
    """The filter of what has our tag, of one deployment or of all."""
    if deployment:
        return {"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [deployment]}
    return {"Name": "tag-key", "Values": [DEPLOYMENT_TAG]}


def _tags(listed: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in listed}
