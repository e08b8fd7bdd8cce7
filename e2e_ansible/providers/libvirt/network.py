"""The network of machines, and the address that one has got there."""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from xml.etree import ElementTree

from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, passing
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.libvirt.domain import read_tagged, tags_xml
from e2e_ansible.providers.libvirt.virsh import Virsh
from e2e_ansible.providers.local.network import choose_subnet, host_networks
from e2e_ansible.providers.local.record import Store

__all__ = ["address_of", "ensure_network", "leased", "own_networks", "remove_network", "wake_network"]

_DEFAULT = "default"
_ADDRESS = re.compile(r"\bipv4\s+([0-9.]+)/")
# The lease of a network that libvirt makes; what others give is seen in the neighbours of this machine.
_SOURCES = ("lease", "arp")


def ensure_network(virsh: Virsh, order: Order, created: float) -> str:
    """The name of the network of a machine, which is active: the parameter `network`, or libvirt's `default`.

    Where there is no `default`, the deployment gets one of its own.

    Raises:
        CloudError: there is no network of the name asked for, or it cannot be started.
    """
    asked = str(order.settings.get("network") or "")
    known = virsh.names("net-list", "--all", "--name")
    if asked and asked not in known:
        text = f"libvirt at {virsh.uri} has no network {asked!r}"
        raise CloudError(text, Trouble.MISSING, hint=f"there are: {', '.join(known) or 'none'}")
    name = asked or (_DEFAULT if _DEFAULT in known else _own_name(order))
    if name not in known:
        _make(virsh, name, order, created)
    if name not in virsh.names("net-list", "--name"):
        _start(virsh, name)
    return name


def _make(virsh: Virsh, name: str, order: Order, created: float) -> None:
    """Make a network with a subnet of the pool of all local nodes, under the lock of that pool."""
    store = Store(default_home())
    with store.lock():
        if name in virsh.names("net-list", "--all", "--name"):
            return
        taken = host_networks() | {record.subnet for record in store.records()}
        subnet = choose_subnet(order.deployment, taken)
        virsh.run("net-define", "/dev/stdin", text=_network_xml(name, subnet, order, created))
        _start(virsh, name)  # from now on the host has a route to it, which is seen by who chooses next


def wake_network(virsh: Virsh, domain: str) -> None:
    """Start the network of a machine where it is not active, as after a boot of the host.

    Raises:
        CloudError: it cannot be started.
    """
    source = ElementTree.fromstring(virsh.run("dumpxml", domain)).find("devices/interface/source")
    name = source.get("network", "") if source is not None else ""
    if name and name not in virsh.names("net-list", "--name"):
        _start(virsh, name)


def own_networks(virsh: Virsh) -> dict[str, tuple[dict[str, str], float]]:
    """Networks that were made for a deployment, by name: their tags, and when they were made."""
    if virsh.is_session:
        return {}
    described = {
        name: read_tagged(virsh.run("net-dumpxml", name))
        for name in virsh.names("net-list", "--all", "--name")
        if name.startswith("e2e-")
    }
    return {name: (dict(tagged.tags), tagged.created) for name, tagged in described.items() if tagged}


def remove_network(virsh: Virsh, name: str) -> None:
    """What is gone already is no error."""
    for word in ("net-destroy", "net-undefine"):
        with passing(Trouble.MISSING, Trouble.CONFLICT):
            virsh.run(word, name)


def address_of(virsh: Virsh, domain: str) -> str:
    """The first IPv4 address that is known of a running machine, '' when there is none yet."""
    for source in _SOURCES:
        try:
            said = virsh.run("domifaddr", domain, "--source", source)
        except CloudError as error:
            if error.trouble is Trouble.TRANSIENT:
                raise
            return ""  # it has just ended
        if found := _ADDRESS.search(said):
            return found[1]
    return ""


def leased(virsh: Virsh, description: str) -> str:
    """The address that a machine which is off will have again, '' when its lease is over.

    `description` is the XML of its domain.
    """
    domain = ElementTree.fromstring(description)
    source, card = domain.find("devices/interface/source"), domain.find("devices/interface/mac")
    if source is None or card is None:
        return ""
    words = ("net-dhcp-leases", source.get("network", ""), "--mac", card.get("address", ""))
    try:
        found = _ADDRESS.search(virsh.run(*words))
    except CloudError as error:
        if error.trouble is Trouble.TRANSIENT:
            raise
        return ""  # nobody gives leases there
    return found[1] if found else ""


def _start(virsh: Virsh, name: str) -> None:
    try:
        virsh.run("net-start", name)
    except CloudError as error:
        if error.trouble is Trouble.CONFLICT and "already active" in str(error):
            return  # by another process, just now
        hint = f"virsh net-start {name}; or name another one, parameters: {{network: ...}}"
        raise CloudError(
            f"the network {name} could not be started: {error}", error.trouble, hint=hint
        ) from error


def _own_name(order: Order) -> str:
    return f"e2e-{order.deployment}"


def _network_xml(name: str, subnet: IPv4Network, order: Order, created: float) -> str:
    network = ElementTree.Element("network")
    ElementTree.SubElement(network, "name").text = name
    tags = {key: value for key, value in order.tags.items() if key != "e2e-node" and "label" not in key}
    network.append(tags_xml(tags, created))
    ElementTree.SubElement(network, "forward", mode="nat")
    ElementTree.SubElement(network, "bridge", stp="off", delay="0")
    ip = ElementTree.SubElement(network, "ip", address=str(subnet[1]), prefix=str(subnet.prefixlen))
    dhcp = ElementTree.SubElement(ip, "dhcp")
    ElementTree.SubElement(dhcp, "range", start=str(subnet[11]), end=str(subnet[250]))
    return ElementTree.tostring(network, encoding="unicode")
