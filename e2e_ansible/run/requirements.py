"""Checks what a test requires of the controller, before anything starts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from e2e_ansible.compile.plan import Plan
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.providers.base import Provider
from e2e_ansible.providers.libvirt.virsh import default_uri
from e2e_ansible.run.context import RunOptions
from e2e_ansible.run.database import unmet_connections, unmet_versions
from e2e_ansible.run.quota import refuse_larger
from e2e_ansible.run.together import check_together
from e2e_ansible.suite.model import Requirements

__all__ = ["check_plans", "check_provider", "check_requirements", "unmet"]

_GIB = 1024**3
_LIBVIRT_SECONDS = 15


def check_plans(plans: Sequence[Plan], options: RunOptions) -> None:
    """Look at what can be known where plans are made: whether tests are too large, and the versions of PostgreSQL.

    They need not be run there; a laptop may plan for AWX. Nodes elsewhere cost this machine nothing and get no packages
    from it, so nothing of it is held against them; a budget that was said counts for all. What memory is free, whether
    a provider is ready and where a connection is said, only a run can look at.

    Raises:
        UsageError, InfrastructureError: as `refuse_larger` and `check_requirements`, with all that is to be said.
    """
    check_together(partial(refuse_larger, plans, options), partial(_refuse, unmet_versions(plans)))


def check_requirements(plans: Sequence[Plan], disk: Path) -> None:
    """Look at this machine. `disk` is a folder on the file system that the nodes will use.

    Raises:
        InfrastructureError: something is missing; the message has every missing thing of every test.
    """
    lines = [
        f"{plan.source}: test {plan.name}: {text}"
        for plan in plans
        for text in unmet(plan.requirements, disk)
    ]
    _refuse([*lines, *unmet_versions(plans), *unmet_connections(plans)])


def _refuse(lines: Iterable[str]) -> None:
    if missing := "\n".join(lines):
        raise InfrastructureError(
            f"this machine does not have what the suite requires:\n{missing}",
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
