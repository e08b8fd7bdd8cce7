"""The power table: which provider can do which operation, as data. Checked when a suite is compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from e2e_ansible.errors import UnsupportedOperation

__all__ = ["PROVIDERS", "Cell", "Requirement", "lookup", "require"]


class Requirement(StrEnum):
    """An operation as the seed's table names its columns."""

    CLUSTER_STOP_START = "cluster stop/start"
    NODE_STOP_START = "node stop/start"
    CRASH_SSH = "crash_node method ssh"
    CRASH_DESTROY = "crash_node method destroy"
    REBOOT_SSH = "restart_node method ssh"
    REBOOT_GRACEFUL = "restart_node method graceful"
    CRASH_RETURNS = "crash_node await_return"
    POWER_RESET = "node_power reset"
    POWER_NMI = "node_power nmi"
    OWN_KERNEL = "faults of the kernel"


@dataclass(frozen=True)
class Cell:
    """One cell of the table; `note` says how, or what to do instead."""

    supported: bool
    note: str


def _yes(note: str) -> Cell:
    return Cell(True, note)


def _no(note: str) -> Cell:
    return Cell(False, note)


def _row(
    *,
    stop: str,
    crash: Cell,
    returns: Cell | None = None,
    reset: Cell | None = None,
    nmi: Cell | None = None,
) -> Mapping[Requirement, Cell]:
    return {
        Requirement.CLUSTER_STOP_START: _yes(stop),
        Requirement.NODE_STOP_START: _yes(stop),
        Requirement.CRASH_SSH: _yes("SysRq b, else poweroff -f"),
        Requirement.CRASH_DESTROY: crash,
        Requirement.REBOOT_SSH: _yes("systemctl reboot"),
        Requirement.REBOOT_GRACEFUL: _yes("power off, then on"),
        Requirement.CRASH_RETURNS: returns or _yes("SysRq b reboots the machine"),
        Requirement.POWER_RESET: reset or _yes("reset"),
        Requirement.POWER_NMI: nmi or _no("the API has no NMI; use crash_node method ssh"),
        Requirement.OWN_KERNEL: _yes("the nodes are machines"),
    }


PROVIDERS: Mapping[str, Mapping[Requirement, Cell]] = {
    "local": {
        **_row(
            stop="systemd's power-off signal; start of the container",
            crash=_yes("SIGKILL of the container"),
            returns=_no("a crashed container stays off; bring it back with start_node"),
            reset=_yes("SIGKILL of the container, then its start"),
            nmi=_no("a container has no kernel of its own; use crash_node"),
        ),
        Requirement.CRASH_SSH: _yes("poweroff -f; SysRq is never written in a container"),
        Requirement.OWN_KERNEL: _no(
            "its containers share kernel, clock, memory and disk with the controller"
        ),
    },
    "libvirt": _row(
        stop="shutdown, create", crash=_yes("destroy"), reset=_yes("reset"), nmi=_yes("inject-nmi")
    ),
    "aws": _row(
        stop="StopInstances, StartInstances",
        crash=_yes("Force with SkipOsShutdown"),
        reset=_yes("Force with SkipOsShutdown, then StartInstances"),
        nmi=_yes("SendDiagnosticInterrupt"),
    ),
    "azure": _row(
        stop="power off, start",
        crash=_yes("power off with skip_shutdown"),
        reset=_yes("power off with skip_shutdown, then start"),
    ),
    "gcp": _row(
        stop="stop, start",
        crash=_yes("reset, then stop; its guest begins to boot in between"),
        reset=_yes("reset"),
        nmi=_yes("sendDiagnosticInterrupt"),
    ),
    "digitalocean": _row(stop="shutdown, power_on", crash=_yes("power_off"), reset=_yes("power_cycle")),
    "hetzner": _row(stop="shutdown, poweron", crash=_yes("poweroff")),
    "openstack": _row(
        stop="os-stop, os-start",
        crash=_no("nova has no immediate hard power-off; use crash_node method ssh"),
        reset=_yes("reboot HARD"),
        nmi=_yes("trigger_crash_dump"),
    ),
    "static": _row(
        stop="Redfish: GracefulShutdown, On",
        crash=_yes("Redfish: ForceOff"),
        reset=_yes("Redfish: ForceRestart"),
        nmi=_yes("Redfish: Nmi, where the machine has it"),
    ),
    "yandex": _row(
        stop="Stop, Start",
        crash=_no("the API has no hard power-off; use crash_node method ssh"),
        reset=_no("the API has no reset; use crash_node method ssh"),
    ),
}


def lookup(provider: str, requirement: Requirement) -> Cell:
    """The cell of a known provider.

    Raises:
        KeyError: the provider is not in the table.
    """
    return PROVIDERS[provider][requirement]


def require(provider: str, requirement: Requirement) -> None:
    """Raise unless the provider can do it.

    Raises:
        UnsupportedOperation: it cannot; the hint says what to use instead.
    """
    cell = lookup(provider, requirement)
    if not cell.supported:
        raise UnsupportedOperation(f"provider {provider!r} cannot do {requirement.value}", hint=cell.note)
