"""Checks what a test requires of the controller, before anything starts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from e2e_ansible.compile.plan import Plan
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.providers.base import Provider
from e2e_ansible.providers.libvirt.virsh import default_uri
from e2e_ansible.run.database import unmet_databases
from e2e_ansible.suite.model import Requirements

__all__ = ["check_provider", "check_requirements", "unmet"]

_GIB = 1024**3
_LIBVIRT_SECONDS = 15


def check_requirements(plans: Sequence[Plan], disk: Path) -> None:
    """Look at this machine. `disk` is a folder on the file system that the nodes will use.

    Raises:
        InfrastructureError: something is missing; the message has every missing thing of every test.
    """
    lines = [f"test {plan.name}: {text}" for plan in plans for text in unmet(plan.requirements, disk)]
    lines += unmet_databases(plans)
    if lines:
        raise InfrastructureError(
            "this machine does not have what the suite requires:\n" + "\n".join(lines),
            hint="nothing was started",
        )


def check_provider(provider: Provider) -> None:
    """Ask a provider for everything that it needs on this machine, before anything of it is made.

    Raises:
        InfrastructureError: something is missing; the message has every missing thing, the hint what to run.
    """
    missing = [finding for finding in provider.doctor() if not finding.ok and not finding.optional]
    if missing:
        lines = "\n".join(f"{finding.name}: {finding.detail}" for finding in missing)
        raise InfrastructureError(
            f"provider {provider.name} is not ready:\n{lines}",
            hint=f"nothing was started; e2e-ansible doctor --provider {provider.name}",
        )


def unmet(wanted: Requirements, disk: Path) -> Iterator[str]:
    """What of the requirements this machine does not have, as sentences."""
    yield from _too_little("memory available (GiB)", wanted.min_memory_gb, _memory_gib)
    yield from _too_little("disk free (GiB)", wanted.min_disk_gb, lambda: _disk_gib(disk))
    yield from _too_little("processors", wanted.min_cpus, lambda: float(len(os.sched_getaffinity(0))))
    yield from (
        f"the command {name!r} is not there" for name in wanted.commands if shutil.which(name) is None
    )
    if wanted.libvirt_available and not _libvirt_answers():
        yield f"libvirt does not answer (virsh --connect {default_uri()} version)"
    if wanted.kvm_available and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        yield "KVM cannot be used (/dev/kvm)"


def _too_little(what: str, wanted: float | None, measure: Callable[[], float]) -> Iterator[str]:
    found = measure() if wanted else 0.0
    if wanted and found < wanted:
        yield f"{what}: {found:.1f}, required {wanted:g}"


def _memory_gib() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024 / _GIB
    return 0.0


def _disk_gib(folder: Path) -> float:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(existing).free / _GIB


def _libvirt_answers() -> bool:
    command = ["virsh", "--connect", default_uri(), "version"]
    try:
        return (
            subprocess.run(command, capture_output=True, timeout=_LIBVIRT_SECONDS, check=False).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
