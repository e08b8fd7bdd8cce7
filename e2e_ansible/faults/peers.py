"""The other nodes of a play as a fault needs them: addresses, and which of them are off."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping
from typing import Any

from e2e_ansible.faults.base import Peer
from e2e_ansible.nodes.look import node_name, provider_of
from e2e_ansible.nodes.observation import PowerState

__all__ = ["addresses_off", "peers"]


def peers(host: str, variables: Mapping[str, Any]) -> dict[str, Peer]:
    """Every other host of the inventory that is reached over a network, by name.

    The controller is none of them: whoever is reached by the local connection, or by a loopback address, is left out.
    """
    found: dict[str, Peer] = {}
    hostvars = variables.get("hostvars") or {}
    for name in (variables.get("groups") or {}).get("all", []):
        if name == host or name not in hostvars:
            continue
        theirs = hostvars[name]
        local = str(theirs.get("ansible_connection") or "ssh").rpartition(".")[2] == "local"
        address = "" if local else _address(str(theirs.get("ansible_host") or name))
        if address:
            found[name] = Peer(address, int(theirs.get("ansible_port") or 22))
    return found


def _address(text: str) -> str:
    """An address as nftables takes it; '' for one that means the controller or nobody."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.getaddrinfo(text, None, type=socket.SOCK_STREAM)[0][4][0])
        except (OSError, ValueError):
            return ""
    return "" if address.is_loopback or address.is_unspecified else str(address)


def addresses_off(host: str, variables: Mapping[str, Any], cut: Collection[str] = ()) -> list[str]:
    """Addresses of other nodes that answer nobody, healed or not: off by the provider, or `cut` by other faults.

    All of them, if this node is itself among those that are cut.
    """
    hostvars = variables.get("hostvars") or {}
    others = peers(host, variables).items()
    if node_name(variables, host) in cut:
        return [peer.address for _, peer in others]
    out = _off(variables) | set(cut)
    return [peer.address for name, peer in others if node_name(hostvars[name], name) in out]


def _off(variables: Mapping[str, Any]) -> set[str]:
    try:
        named = provider_of(variables)
        nodes = named[0].nodes(named[1]) if named else ()
    except Exception:  # a provider that cannot be asked knows of no node that is off
        return set()
    return {node.name for node in nodes if node.power in (PowerState.OFF, PowerState.ABSENT)}
