"""One bridge with a /24 per deployment, NAT in an nftables table of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from ipaddress import IPv4Network
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError
from e2e_ansible.providers.local.record import DeploymentRecord
from e2e_ansible.providers.system import run, try_run, write_durably

__all__ = ["bring_up", "choose_subnet", "host_networks", "leftovers", "take_down"]

POOL = IPv4Network("10.203.0.0/16")
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_INTERFACES = Path("/sys/class/net")
_CABLE_SECONDS = 2.0


def choose_subnet(seed: str, taken: Collection[IPv4Network]) -> IPv4Network:
    """A free /24 of the pool, looked for from a place given by `seed`, so that addresses rarely come again.

    Raises:
        ProviderError: none is free.
    """
    subnets = list(POOL.subnets(new_prefix=24))
    first = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) % len(subnets)
    for subnet in subnets[first:] + subnets[:first]:
        if not any(subnet.overlaps(other) for other in taken):
            return subnet
    raise ProviderError(f"no free subnet in {POOL}", hint="destroy deployments that are no longer needed")


def host_networks(except_interface: str = "") -> set[IPv4Network]:
    """What the controller already routes or has an address in, the default route excepted."""
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]) or "[]")
    return set(_destinations(routes, except_interface))


def _destinations(routes: Iterable[dict[str, str]], except_interface: str) -> Iterable[IPv4Network]:
    for route in routes:
        target = route.get("dst", "default")
        if target != "default" and (not except_interface or route.get("dev") != except_interface):
            network = IPv4Network(target, strict=False)
            if network.prefixlen > 0:
                yield network


def bring_up(record: DeploymentRecord, home: Path) -> bool:
    """Make whatever is missing of the deployment's network; whether anything was.

    Raises:
        ProviderError: the subnet is meanwhile used by somebody else, or a command failed.
    """
    made = [_bridge(record), _table(record), _forwarding(home)]
    return any(made)


def _bridge(record: DeploymentRecord) -> bool:
    address = f"{record.gateway}/{record.subnet.prefixlen}"
    if _exists(record.bridge):
        run(["ip", "address", "replace", address, "dev", record.bridge])
        run(["ip", "link", "set", record.bridge, "up"])
        return False
    if any(record.subnet.overlaps(other) for other in host_networks(record.bridge)):
        raise ProviderError(f"subnet {record.subnet} of {record.id} is used by another network by now")
    # Without a fixed address a bridge takes that of a port, and nodes lose their gateway for a moment.
    octets = ":".join(record.tag[place : place + 2] for place in (0, 2, 4))
    run(["ip", "link", "add", "name", record.bridge, "address", f"02:e2:e0:{octets}", "type", "bridge"])
    run(["ip", "address", "replace", address, "dev", record.bridge])
    run(["ip", "link", "set", record.bridge, "up"])
    return True


def _table(record: DeploymentRecord) -> bool:
    if _has_table(record.table):
        return False
    run(["nft", "-f", "-"], text=ruleset(record))
    return True


def ruleset(record: DeploymentRecord) -> str:
    """What nft loads in one transaction."""
    return (
        f"table ip {record.table} {{\n"
        "  chain postrouting {\n"
        "    type nat hook postrouting priority srcnat;\n"
        f"    ip saddr {record.subnet} ip daddr != {record.subnet} masquerade\n"
        "  }\n"
        "  chain forward {\n"
        "    type filter hook forward priority filter;\n"
        f'    iifname "{record.bridge}" accept\n'
        f'    oifname "{record.bridge}" accept\n'
        "  }\n"
        "}\n"
    )


def _forwarding(home: Path) -> bool:
    if _FORWARD.read_text().strip() == "1":
        return False
    write_durably(_marker(home), "0\n")
    _FORWARD.write_text("1\n")
    return True


def _marker(home: Path) -> Path:
    return home / "ip_forward_was_off"


def take_down(record: DeploymentRecord, home: Path, *, last: bool) -> bool:
    """Remove the network; whether anything was there. With the `last` one, forwarding is as it was found."""
    there = False
    for name in (*(node.interface for node in record.nodes), record.bridge):
        if _exists(name):
            try_run(["ip", "link", "delete", name])
            there = True
    if _has_table(record.table):
        run(["nft", "delete", "table", "ip", record.table])
        there = True
    if last and _marker(home).exists():
        if not any(entry.name.startswith("e2e") for entry in _INTERFACES.iterdir()):
            _FORWARD.write_text("0\n")
        _marker(home).unlink()
    return there


def remove_cable(interface: str, deadline: Deadline) -> bool:
    """Whether the host's end of a dead node's cable went away.

    The kernel removes it after the node, but not while a connection of the node waits for somebody who does not
    answer: that keeps the network of a node that was cut off for minutes.
    """

    def gone() -> bool:
        return not _exists(interface)

    if not Deadline(min(_CABLE_SECONDS, deadline.remaining)).wait_for(gone, 0.02):
        try_run(["ip", "link", "delete", interface])
    return deadline.wait_for(gone, 0.02)


def leftovers(record: DeploymentRecord) -> list[str]:
    """Interfaces and tables of the deployment that are still there, as commands that remove them."""
    names = [record.bridge, *(node.interface for node in record.nodes)]
    found = [f"ip link delete {name}" for name in names if _exists(name)]
    if _has_table(record.table):
        found.append(f"nft delete table ip {record.table}")
    return found


def _exists(interface: str) -> bool:
    return (_INTERFACES / interface).exists()


def _has_table(table: str) -> bool:
    return try_run(["nft", "list", "table", "ip", table]).returncode == 0
