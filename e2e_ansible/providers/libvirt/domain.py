"""What libvirt is told of a machine, and what it tells of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from e2e_ansible.nodes.observation import PowerState

__all__ = [
    "NAMESPACE",
    "Boot",
    "Disk",
    "Domain",
    "Tagged",
    "domain_xml",
    "power_of",
    "read_tagged",
    "tags_xml",
]

#: Our part of a domain's and of a network's metadata.
NAMESPACE = "urn:e2e-ansible:libvirt:1"
_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
_POWER = {
    "running": PowerState.ON,
    "idle": PowerState.ON,
    "shut off": PowerState.OFF,
    "crashed": PowerState.OFF,
}


@dataclass(frozen=True)
class Disk:
    """A volume as the machine sees it; `serial` names it in /dev/disk/by-id."""

    path: str
    serial: str
    kind: str = "qcow2"
    readonly: bool = False


@dataclass(frozen=True)
class Boot:
    """What the emulator starts; without it, the first disk is booted."""

    kernel: str
    initramfs: str
    command_line: str


@dataclass(frozen=True)
class Domain:
    """One machine, in a `network` of libvirt or in the emulator's own, with the controller's `ssh_port` led to it.

    `accelerator` is kvm or qemu, `mac` is given so that a lease, and with it the address, stays.
    """

    name: str
    accelerator: str
    memory_mb: int
    vcpus: int
    disks: Sequence[Disk]
    mac: str
    tags: Mapping[str, str]
    created: float
    boot: Boot | None = None
    network: str = ""
    ssh_port: int = 0
    on_reboot: str = "restart"


@dataclass(frozen=True)
class Tagged:
    """What stands in our metadata."""

    tags: Mapping[str, str]
    created: float
    ssh_port: int = 0


def domain_xml(domain: Domain) -> str:
    """The description of a machine for `virsh define`."""
    ElementTree.register_namespace("qemu", _QEMU)
    root = ElementTree.Element("domain", type=domain.accelerator)
    _leaf(root, "name", domain.name)
    _leaf(root, "memory", str(domain.memory_mb), unit="MiB")
    _leaf(root, "vcpu", str(domain.vcpus))
    metadata = ElementTree.SubElement(root, "metadata")
    metadata.append(_metadata(Tagged(domain.tags, domain.created, domain.ssh_port)))
    _system(root, domain)
    devices = ElementTree.SubElement(root, "devices")
    for index, disk in enumerate(domain.disks):
        devices.append(_disk(disk, f"vd{chr(ord('a') + index)}"))
    _network(root, devices, domain)
    console = ElementTree.SubElement(devices, "console", type="pty")
    ElementTree.SubElement(console, "target", type="serial")
    random = ElementTree.SubElement(devices, "rng", model="virtio")
    _leaf(random, "backend", "/dev/urandom", model="random")
    ElementTree.SubElement(devices, "memballoon", model="none")
    return ElementTree.tostring(root, encoding="unicode")


def tags_xml(tags: Mapping[str, str], created: float) -> ElementTree.Element:
    """A metadata element with our tags, for what is no machine."""
    metadata = ElementTree.Element("metadata")
    metadata.append(_metadata(Tagged(tags, created)))
    return metadata


def read_tagged(xml: str) -> Tagged | None:
    """What our metadata say in the description of a domain or a network; None where there are none."""
    found = ElementTree.fromstring(xml).find(f"metadata/{{{NAMESPACE}}}thing")
    if found is None:
        return None
    tags = {each.get("name", ""): each.get("value", "") for each in found}
    return Tagged(tags, float(found.get("created", "0")), int(found.get("ssh-port", "0")))


def power_of(state: str) -> PowerState:
    """Of a state in libvirt's words."""
    return _POWER.get(state, PowerState.UNKNOWN)


def _metadata(tagged: Tagged) -> ElementTree.Element:
    ElementTree.register_namespace("e2e", NAMESPACE)
    thing = ElementTree.Element(f"{{{NAMESPACE}}}thing", created=f"{tagged.created:.0f}")
    if tagged.ssh_port:
        thing.set("ssh-port", str(tagged.ssh_port))
    for name, value in tagged.tags.items():
        ElementTree.SubElement(thing, f"{{{NAMESPACE}}}tag", name=name, value=value)
    return thing


def _system(root: ElementTree.Element, domain: Domain) -> None:
    system = ElementTree.SubElement(root, "os")
    _leaf(system, "type", "hvm", arch="x86_64", machine="q35")
    if domain.boot:
        _leaf(system, "kernel", domain.boot.kernel)
        _leaf(system, "initrd", domain.boot.initramfs)
        _leaf(system, "cmdline", domain.boot.command_line)
    features = ElementTree.SubElement(root, "features")
    for name in ("acpi", "apic"):
        ElementTree.SubElement(features, name)
    mode = "host-passthrough" if domain.accelerator == "kvm" else "maximum"
    ElementTree.SubElement(root, "cpu", mode=mode)
    _leaf(root, "on_poweroff", "destroy")
    _leaf(root, "on_reboot", domain.on_reboot)
    _leaf(root, "on_crash", "restart")


def _disk(disk: Disk, target: str) -> ElementTree.Element:
    """`writeback` is a disk with a cache: what the machine has flushed is kept, the rest may go with the power."""
    element = ElementTree.Element("disk", type="file", device="disk")
    ElementTree.SubElement(element, "driver", name="qemu", type=disk.kind, cache="writeback")
    ElementTree.SubElement(element, "source", file=disk.path)
    ElementTree.SubElement(element, "target", dev=target, bus="virtio")
    _leaf(element, "serial", disk.serial)
    if disk.readonly:
        ElementTree.SubElement(element, "readonly")
    return element


def _network(root: ElementTree.Element, devices: ElementTree.Element, domain: Domain) -> None:
    if domain.network:
        interface = ElementTree.SubElement(devices, "interface", type="network")
        ElementTree.SubElement(interface, "mac", address=domain.mac)
        ElementTree.SubElement(interface, "source", network=domain.network)
        ElementTree.SubElement(interface, "model", type="virtio")
    if not domain.ssh_port:
        return
    # libvirt forwards ports only by way of passt, which older ones do not know and which does not run as root.
    commands = ElementTree.SubElement(root, f"{{{_QEMU}}}commandline")
    forward = f"hostfwd=tcp:127.0.0.1:{domain.ssh_port}-:22"
    device = f"virtio-net-pci,netdev=e2e,mac={domain.mac},bus=pcie.0,addr=0x1d"
    for word in ("-netdev", f"user,id=e2e,{forward}", "-device", device):
        ElementTree.SubElement(commands, f"{{{_QEMU}}}arg", value=word)


def _leaf(parent: ElementTree.Element, name: str, text: str, **attributes: str) -> None:
    ElementTree.SubElement(parent, name, attributes).text = text
