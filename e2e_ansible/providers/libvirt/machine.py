"""A domain as a machine."""

from __future__ import annotations

import re

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.cloud.machine import DEPLOYMENT_TAG, Machine
from e2e_ansible.providers.cloud.trouble import Trouble, passing
from e2e_ansible.providers.libvirt.domain import Tagged, power_of, read_tagged
from e2e_ansible.providers.libvirt.network import address_of, leased
from e2e_ansible.providers.libvirt.port import LOCALHOST
from e2e_ansible.providers.libvirt.virsh import Virsh

__all__ = ["read_machine", "state_of"]

#: As with local nodes: the default would take an emulated processor seconds for each connection.
_CHEAP_KEY_EXCHANGE = "-o KexAlgorithms=curve25519-sha256"


def read_machine(virsh: Virsh, name: str) -> Machine | None:
    """What the daemon says about a domain; None where it is not ours, or gone."""
    with passing(Trouble.MISSING):
        xml = virsh.run("dumpxml", name)
        tagged = read_tagged(xml)
        if tagged is not None and tagged.tags.get(DEPLOYMENT_TAG):
            return _read(virsh, name, xml, tagged)
    return None


def state_of(virsh: Virsh, name: str) -> str:
    """Of a domain, in libvirt's words."""
    return virsh.run("domstate", name).strip()


def _read(virsh: Virsh, name: str, xml: str, tagged: Tagged) -> Machine:
    state = state_of(virsh, name)
    power = power_of(state)
    variables: dict[str, object] = {"ansible_ssh_extra_args": _CHEAP_KEY_EXCHANGE}
    if tagged.ssh_port:
        address = LOCALHOST
        variables["ansible_port"] = tagged.ssh_port
    else:
        address = address_of(virsh, name) if power is PowerState.ON else leased(virsh, xml)
    identifier = re.search(r"<uuid>([0-9a-f-]+)</uuid>", xml)
    return Machine(
        id=identifier[1] if identifier else name,
        machine=name,
        power=power,
        state=state,
        address=address,
        private_address="" if tagged.ssh_port else address,
        tags=tagged.tags,
        created=tagged.created,
        variables=variables,
    )
