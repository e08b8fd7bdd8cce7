"""What the probe sees of the machine itself: who it is, and the state of its service manager."""

from __future__ import annotations

import os
import subprocess

TYPE_CHECKING = False  # typing would cost a tenth of the start
if TYPE_CHECKING:
    from typing import Any

__all__ = ["identity", "read", "run", "system"]


def read(path: str) -> str:
    """The text of a file, '' when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123  # pathlib costs a quarter of the start
            return file.read()
    except OSError:
        return ""


def run(command: list[str], seconds: float) -> str:
    """What a command printed, '' when it could not run or did not end in time."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=max(0.1, seconds),
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _boot_time() -> int:
    for line in read("/proc/stat").splitlines():
        if line.startswith("btime "):
            return int(line.split()[1])
    return 0


def _pid1_start() -> int:
    # The name of a process may hold blanks and brackets: fields count from behind its last bracket.
    fields = read("/proc/1/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0


def _container() -> str:
    """The kind of container, '' on a machine. Several sources, because each is missing somewhere."""
    named = read("/run/systemd/container").strip()
    if named:
        return named
    for entry in read("/proc/1/environ").split("\0"):
        if entry.startswith("container="):
            return entry.partition("=")[2] or "container"
    detected = run(["systemd-detect-virt", "--container"], 2).strip()
    if detected and detected != "none":
        return detected
    if os.path.exists("/run/.containerenv"):  # noqa: PTH110
        return "podman"
    return "docker" if os.path.exists("/.dockerenv") else ""  # noqa: PTH110


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        return ""


def identity() -> dict[str, Any]:
    """The fields of `guard.Identity` for this machine. Never raises; what cannot be read is empty or 0."""
    return {
        "machine_id": (read("/etc/machine-id") or read("/var/lib/dbus/machine-id")).strip(),
        "boot_id": read("/proc/sys/kernel/random/boot_id").strip(),
        "boot_time": _boot_time(),
        "kernel": os.uname().release,
        "pid1_start": _pid1_start(),
        "pid_namespace": _pid_namespace(),
        "container": _container(),
        "hostname": os.uname().nodename,
    }


def system(seconds: float) -> dict[str, Any]:
    """State of the service manager (`running`, `degraded`, `starting`, ...) and the names of failed units."""
    shown = run(["systemctl", "show", "--property=SystemState,NFailedUnits"], seconds)
    values = dict(line.partition("=")[::2] for line in shown.splitlines() if "=" in line)
    failed: list[str] = []
    if values.get("NFailedUnits", "0") != "0":
        listed = run(["systemctl", "list-units", "--failed", "--no-legend", "--plain", "--no-pager"], seconds)
        failed = sorted(line.split()[0] for line in listed.splitlines() if line.strip())
    return {"system_state": values.get("SystemState", "unknown"), "failed_units": failed}
