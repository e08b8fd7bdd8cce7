"""The port of the controller that leads to a machine whose network is the emulator's own."""

from __future__ import annotations

import socket

from e2e_ansible.providers.cloud.machine import Order
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.libvirt.domain import read_tagged
from e2e_ansible.providers.libvirt.virsh import Virsh

__all__ = ["LOCALHOST", "free_port"]

LOCALHOST = "127.0.0.1"
"""Where the port is."""

#: Below the ports that the kernel gives to connections.
_PORTS = range(20_000, 32_000)


def free_port(virsh: Virsh, order: Order) -> int:
    """One that is neither in use nor promised to a machine that is off.

    Raises:
        CloudError: there is none.
    """
    names = virsh.names("list", "--all", "--name")
    promised = {tagged.ssh_port for name in names if (tagged := read_tagged(virsh.run("dumpxml", name)))}
    first = int(order.token[:8], 16) % len(_PORTS)
    ports: list[int] = [*_PORTS[first:], *_PORTS[:first]]
    for port in ports:
        if port not in promised and _is_free(port):
            return port
    raise CloudError(f"no port from {_PORTS[0]} to {_PORTS[-1]} is free", Trouble.CAPACITY)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            return False
    return True
