"""The little disk by which a machine learns its name, its user and who may log in."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from e2e_ansible.errors import ProviderError
from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.system import PROGRAMS, run

__all__ = ["SERIAL", "mac_of", "make_seed"]

#: By which our own image knows the disk; cloud-init goes by the label.
SERIAL = "e2e-seed"
_LABEL = "cidata"

# One kind of host key and a locale that is there: others take an emulated processor minutes to make. And what the first
# boot has made is on the disk when it ends, else a machine that loses its power soon would come back without its keys.
_VENDOR_DATA = {"ssh_genkeytypes": ["ed25519"], "locale": "C.UTF-8", "runcmd": ["sync"]}


def mac_of(order: Order) -> str:
    """The address of a machine's card: its own for ever, so that a network gives it the same address each time."""
    digest = hashlib.sha256(f"{order.machine}\0{order.token}".encode()).hexdigest()
    return ":".join(("52", "54", "00", digest[0:2], digest[2:4], digest[4:6]))


def make_seed(order: Order, folder: Path) -> Path:
    """An ISO file in `folder`: the `NoCloud` of cloud-init, and the same in plain words for our own image.

    Raises:
        ProviderError: there is no program that makes one.
    """
    content = folder / "seed"
    content.mkdir()
    meta_data = {"instance-id": order.token, "local-hostname": order.node}
    for name, text in {
        "meta-data": json.dumps(meta_data) + "\n",
        "user-data": order.user_data,
        "vendor-data": f"#cloud-config\n{json.dumps(_VENDOR_DATA)}\n",
        "network-config": json.dumps(_network(mac_of(order))) + "\n",
        "hostname": f"{order.node}\n",
        "user": f"{order.user}\n",
        "authorized_keys": f"{order.public_key}\n",
    }.items():
        (content / name).write_text(text, encoding="utf-8")
    made = folder / "seed.iso"
    run([*_maker(), "-quiet", "-o", str(made), "-V", _LABEL, "-R", "-J", str(content)])
    return made


def _network(mac: str) -> dict[str, object]:
    """By DHCP, asked for in the name of the card: by default it may be that of the image, which others have as well."""
    card = {"match": {"macaddress": mac}, "set-name": "eth0", "dhcp4": True, "dhcp-identifier": "mac"}
    return {"version": 2, "ethernets": {"eth0": card}}


def _maker() -> list[str]:
    if shutil.which("genisoimage", path=PROGRAMS):
        return ["genisoimage"]
    if shutil.which("xorriso", path=PROGRAMS):
        return ["xorriso", "-as", "mkisofs"]
    raise ProviderError("neither genisoimage nor xorriso is installed", hint="apt-get install genisoimage")
