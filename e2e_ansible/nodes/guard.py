"""Decides whether a destructive act may touch a machine. Pure: identities go in, a reason to refuse comes out.

A name proves nothing: `n12` can resolve to the controller. So every crash, reboot and power step first reads the
identity of the target over the very connection that would carry the act and compares it with the controller's.

- The same machine id is the same installation: refused.
- The same boot id is the same running kernel. For a container that is normal, and the act stays inside its PID
  namespace; for anything else the target *is* the controller or the machine below it: refused.
- Some container managers give each container a boot id of its own, so the boot time and release of the kernel
  are compared as well.
- SysRq acts on the kernel, never on a namespace: refused in every container, whatever its ids say.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Identity", "refusal", "same_kernel", "sysrq_refusal"]

_LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "127.0.0.1", "::1", ""})
_BOOT_TIME_JITTER_SECONDS = 2


class Identity(BaseModel):
    """Which machine, which boot, which container. Gathered by `nodes/probe.py` on the machine itself.

    `boot_time` is in seconds since the epoch (`btime` of /proc/stat); `pid1_start` is in clock ticks since boot
    (field 22 of /proc/1/stat) and tells two starts of one container apart; `pid_namespace` is the inode text of
    /proc/self/ns/pid, unique per kernel.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    machine_id: str
    boot_id: str
    boot_time: int
    kernel: str
    pid1_start: int
    pid_namespace: str
    container: str = ""
    hostname: str = ""

    @property
    def boot(self) -> tuple[str, int]:
        """What changes when, and only when, this machine or container boots."""
        return (self.boot_id, self.pid1_start)


def same_kernel(one: Identity, other: Identity) -> bool:
    """Whether both run on the same booted kernel."""
    if one.boot_id and one.boot_id == other.boot_id:
        return True
    close = abs(one.boot_time - other.boot_time) <= _BOOT_TIME_JITTER_SECONDS
    return close and one.kernel == other.kernel


def refusal(
    *,
    controller: Identity,
    target: Identity,
    host: str,
    connection: str,
    address: str,
    in_inventory: bool,
    expected_machine_id: str = "",
) -> str | None:
    """Why `target` must not be crashed, rebooted or powered off; None when it may be.

    `host` is the inventory name, `connection` the Ansible connection plugin, `address` what it connects to, and
    `expected_machine_id` what the provider recorded when it made the node (empty if unknown).
    """
    named = _refused_by_name(host, connection, address, in_inventory)
    return named or _refused_by_identity(controller, target, host, expected_machine_id)


def _refused_by_name(host: str, connection: str, address: str, in_inventory: bool) -> str | None:
    if not in_inventory:
        return f"{host} is not a host of the inventory"
    if connection.rpartition(".")[2] == "local":
        return f"{host} is reached by the local connection, so it is the controller"
    if host.lower() in _LOCAL_NAMES or address.lower() in _LOCAL_NAMES:
        return f"{host} is this machine by name (address {address or 'none'})"
    return None


def _refused_by_identity(
    controller: Identity, target: Identity, host: str, expected_machine_id: str
) -> str | None:
    if not target.machine_id or not target.boot_id:
        return f"{host} does not tell its machine id and boot id"
    if target.machine_id == controller.machine_id:
        return f"{host} has the machine id of the controller ({target.machine_id})"
    if expected_machine_id and target.machine_id != expected_machine_id:
        return f"{host} answers as machine {target.machine_id}, but the node made was {expected_machine_id}"
    return _refused_by_kernel(controller, target, host) if same_kernel(controller, target) else None


def _refused_by_kernel(controller: Identity, target: Identity, host: str) -> str | None:
    if not target.container:
        return f"{host} runs the kernel of the controller (boot id {target.boot_id}) and is not a container"
    if target.pid_namespace == controller.pid_namespace:
        return f"{host} shares the process namespace of the controller"
    return None


def sysrq_refusal(*, controller: Identity, target: Identity, host: str) -> str | None:
    """Why SysRq must not be written on `target`; None when it may be. Checked in addition to `refusal`."""
    if target.container:
        return f"{host} is a container ({target.container}): SysRq would hit the kernel of its host"
    if same_kernel(controller, target):
        return f"{host} runs the kernel of the controller"
    return None
