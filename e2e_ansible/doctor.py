"""What the controller needs to run tests, and the installation of what is missing."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.specifiers import SpecifierSet

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.providers.base import Finding
from e2e_ansible.providers.registry import get_provider

__all__ = ["findings", "fix"]

_PYTHON = ">=3.11,<3.14"
_DISTRIBUTIONS = {"ansible-core": ">=2.19.4,<2.20", "ansible-runner": ">=2.4.3,<2.5"}
_INSTALL = ("apt-get", "install")
_LOCK_SECONDS = 300
_LOCK_PAUSE_SECONDS = 2
_TOLD_LINES = 8
_LOG = logging.getLogger(__name__)


def findings(provider: str) -> tuple[Finding, ...]:
    """Everything looked at, whether it is there or not; changes nothing.

    Raises:
        UsageError: there is no provider of that name.
    """
    theirs = get_provider(provider).doctor()
    distributions = (_distribution(name, bounds) for name, bounds in _DISTRIBUTIONS.items())
    return (_python(), *distributions, _playbook(), _ssh(), *theirs)


def fix(found: Sequence[Finding], provider: str) -> tuple[Finding, ...]:
    """Install the packages that the findings name, all at once, as root or by `sudo -n`; then look anew.

    A remedy that is not `apt-get install` is left to the user. Nothing is removed, and no service restarted.

    Raises:
        InfrastructureError: they could not be installed; with the command and the end of its output.
        UsageError: there is no provider of that name.
    """
    packages = _packages(found)
    if packages:
        _LOG.info("installing %s", ", ".join(packages))
        _install(packages)
    return findings(provider)


def _python() -> Finding:
    running = ".".join(map(str, sys.version_info[:3]))
    ok = SpecifierSet(_PYTHON).contains(running)
    return Finding(name="Python", ok=ok, detail=f"{running} at {sys.executable}, {_PYTHON} needed")


def _distribution(name: str, bounds: str) -> Finding:
    try:
        installed = version(name)
    except PackageNotFoundError:
        return Finding(name=name, ok=False, detail=f"not installed; pip install '{name}{bounds}'")
    if SpecifierSet(bounds).contains(installed, prereleases=True):
        return Finding(name=name, ok=True, detail=installed)
    detail = f"{installed} is installed, {bounds} needed; pip install '{name}{bounds}'"
    return Finding(name=name, ok=False, detail=detail)


def _playbook() -> Finding:
    path = Path(sys.executable).with_name("ansible-playbook")
    if os.access(path, os.X_OK):
        return Finding(name="ansible-playbook", ok=True, detail=str(path))
    detail = f"{path} is missing; install ansible-core into the same environment as e2e-ansible"
    return Finding(name="ansible-playbook", ok=False, detail=detail)


def _ssh() -> Finding:
    found = shutil.which("ssh")
    if found:
        return Finding(name="ssh", ok=True, detail=found)
    return Finding(
        name="ssh", ok=False, detail="ssh is not installed", remedy=(*_INSTALL, "--yes", "openssh-client")
    )


def _packages(found: Sequence[Finding]) -> list[str]:
    """What the remedies of missing things install, each once, sorted."""
    remedies = [finding.remedy for finding in found if finding.remedy and not finding.ok]
    words = (word for remedy in remedies if remedy[:2] == _INSTALL for word in remedy[2:])
    return sorted({word for word in words if not word.startswith("-")})


def _install(packages: Sequence[str]) -> None:
    """Update the lists of packages, then install. A failed update counts only if the installation fails, too."""
    apt = _apt(packages)
    updated: list[subprocess.CompletedProcess[str]] = []

    def update() -> bool:
        updated[:] = [_run([*apt, "-o", "APT::Update::Error-Mode=any", "update"])]
        return "Could not get lock" not in updated[0].stdout

    # Only dpkg's own lock is waited for by apt itself, not that of the lists.
    Deadline(_LOCK_SECONDS).wait_for(update, _LOCK_PAUSE_SECONDS)
    options = ("--yes", "--no-install-recommends", "--no-remove")
    installed = _run([*apt, "-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}", "install", *options, *packages])
    if installed.returncode:
        failed = [done for done in (*updated, installed) if done.returncode]
        raise InfrastructureError("\n".join(map(_told, failed)), hint=_hint(packages))


def _apt(packages: Sequence[str]) -> list[str]:
    environment = ("DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1", "LC_ALL=C.UTF-8")
    return [*_privilege(packages), "env", *environment, "apt-get", "-q"]


def _privilege(packages: Sequence[str]) -> tuple[str, ...]:
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo"):
        return ("sudo", "-n")
    missing = ", ".join(packages)
    raise InfrastructureError(
        f"{missing} cannot be installed: this is not root, and sudo is not installed", hint=_hint(packages)
    )


def _hint(packages: Sequence[str]) -> str:
    return f"as root: apt-get install {' '.join(packages)}"


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Without a deadline: apt has its own for the network and the lock, and dpkg must not be killed half-way."""
    return subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def _told(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stdout.splitlines() if line.strip()] or ["no output"]
    return "\n".join([f"{shlex.join(done.args)} ended with {done.returncode}:", *lines[-_TOLD_LINES:]])
