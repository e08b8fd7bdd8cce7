"""The subnet and the security groups of an instance, as a suite names them."""

from __future__ import annotations

from collections.abc import Mapping

from e2e_ansible.providers.aws.api import Api
from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.cloud.settings import text, words
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["groups_of", "subnet_of"]


def subnet_of(api: Api, region: str, order: Order) -> str:
    """The one the suite names, else the first of its network in that zone, else '' for the provider's default.

    Raises:
        CloudError: the network has none there.
    """
    subnet, network = text(order.settings, "subnet"), text(order.settings, "network")
    if subnet or not network:
        return subnet
    filters = [{"Name": "vpc-id", "Values": [network]}]
    if order.place.zone:
        filters.append({"Name": "availability-zone", "Values": [order.place.zone]})
    subnets = api.every(region, "describe_subnets", "Subnets", Filters=filters)
    if not subnets:
        where = f" in zone {order.place.zone}" if order.place.zone else ""
        raise CloudError(f"aws: network {network} has no subnet{where} of {region}", Trouble.MISSING)
    return min(str(each["SubnetId"]) for each in subnets)


def groups_of(api: Api, region: str, settings: Mapping[str, object], subnet: str) -> list[str]:
    """Ids of the security groups, which the suite gives by id or by name.

    Raises:
        CloudError: the network of the subnet has none of that name.
    """
    wanted = words(settings.get("security_groups"))
    names = [each for each in wanted if not each.startswith("sg-")]
    if not names:
        return wanted
    network = _network(api, region, subnet)
    filters = [
        {"Name": "group-name", "Values": names},
        {"Name": "vpc-id", "Values": [network]},
    ]
    found = api.every(region, "describe_security_groups", "SecurityGroups", Filters=filters)
    ids = {str(each["GroupName"]): str(each["GroupId"]) for each in found}
    if missing := [name for name in names if name not in ids]:
        said = f"aws: in {network} there is no security group {', '.join(missing)}"
        raise CloudError(said, Trouble.MISSING)
    return [ids.get(each, each) for each in wanted]


def _network(api: Api, region: str, subnet: str) -> str:
    if subnet:
        (told,) = api.every(region, "describe_subnets", "Subnets", SubnetIds=[subnet])
        return str(told["VpcId"])
    filters = [{"Name": "is-default", "Values": ["true"]}]
    for told in api.every(region, "describe_vpcs", "Vpcs", Filters=filters):
        return str(told["VpcId"])
    said = f"aws: {region} has no default network"
    raise CloudError(said, Trouble.MISSING, hint="parameters: {network: vpc-...}")
