"""Quotas of running on-demand instances: they are in vCPUs, and there is one for each group of families."""

from __future__ import annotations

import re

from e2e_ansible.providers.aws.api import Api
from e2e_ansible.providers.aws.size import Sizes
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["quota_code", "remaining"]

_STANDARD_FAMILIES = "acdhimrtz"
_STANDARD = "L-1216C47A"
_SPECIAL = {
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


def remaining(api: Api, sizes: Sizes, region: str, size: str) -> int | None:
    """How many more of a type the account may have; None where it may not ask for it."""
    quota = quota_code(size)
    if not quota:
        return None
    try:
        told = api.call(
            region, "get_service_quota", service="service-quotas", ServiceCode="ec2", QuotaCode=quota
        )
    except CloudError as error:
        if error.trouble is Trouble.TRANSIENT:
            raise
        return None
    used = _used(api, sizes, region, quota)
    each = sizes.vcpus(region, [size])
    return (int(told["Quota"]["Value"]) - used) // each if each else None


def quota_code(size: str) -> str:
    """The quota that counts this type of instances, '' where none is known."""
    letters = re.match(r"[a-z]*", size)
    family = letters.group() if letters else ""
    standard = _STANDARD if family and family[0] in _STANDARD_FAMILIES else ""
    return _SPECIAL.get(family, standard)


def _used(api: Api, sizes: Sizes, region: str, quota: str) -> int:
    """vCPUs of all running on-demand instances of the account that count for this quota."""
    states = {"Name": "instance-state-name", "Values": ["pending", "running"]}
    counted = [
        each["InstanceType"]
        for each in api.instances(region, Filters=[states])
        if not each.get("InstanceLifecycle") and quota_code(each["InstanceType"]) == quota
    ]
    return sizes.vcpus(region, counted)
