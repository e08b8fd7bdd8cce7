"""Host keys of machines of a cloud: learned once, held to, and never mixed up when an address wanders."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loopback_sshd import loopback_sshd

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.cloud.driver import _login
from e2e_ansible.providers.cloud.machine import Cloud, Machine, Place
from e2e_ansible.providers.cloud.record import CloudDeployment, CloudStore, new_record


class Usual(Cloud):
    """Only what is usual there; nothing is asked."""

    name, user, image, size = "memory", "root", "debian-12", "small"


@pytest.fixture
def deployment(tmp_path: Path) -> CloudDeployment:
    """One that is recorded here."""
    store = CloudStore("memory", tmp_path / "home")
    spec = DeploymentSpec(id="demo", nodes=(NodeSpec(name="n11"),))
    with store.lock():
        return store.add(new_record(spec, Usual(), store.home, 1_000_000))


def machine(identity: str, address: str = "127.0.0.1") -> Machine:
    return Machine(
        id=identity,
        machine="demo-abcdef-n11",
        power=PowerState.ON,
        state="running",
        address=address,
        place=Place(),
        created=1_000_000,
    )


@contextmanager
def server(folder: Path) -> Iterator[list[str]]:
    """An sshd with host keys of its own; yields the port and key for a client."""
    folder.mkdir()
    with loopback_sshd(folder) as text:
        port, _, key, *_ = (word.partition("=")[2] for word in text.split())
        yield ["-p", port, "-i", key]


def ssh(to: list[str], login: dict[str, object], *more: str) -> subprocess.CompletedProcess[str]:
    words = shlex.split(str(login["ansible_ssh_common_args"]))
    return subprocess.run(
        ["ssh", "-F", "none", "-o", "BatchMode=yes", *to, *words, *more, "root@127.0.0.1", "true"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_key_is_learned_and_another_one_refused(tmp_path: Path, deployment: CloudDeployment) -> None:
    login = _login(machine("i-1"), deployment)
    with server(tmp_path / "first") as first:
        for _ in range(2):
            done = ssh(first, login)
            assert done.returncode == 0, done.stderr
    assert deployment.known_hosts.read_text().count("\n") == 1
    with server(tmp_path / "second") as second:
        assert "verification failed" in ssh(second, login).stderr
        other = ssh(second, _login(machine("i-2"), deployment))
        assert other.returncode == 0, other.stderr


def test_without_a_record_keys_are_learned_in_the_file_of_the_user(tmp_path: Path) -> None:
    login = _login(machine("i-1"), None)
    known = f"UserKnownHostsFile={tmp_path / 'users'}"  # what ssh's own configuration would say
    with server(tmp_path / "first") as first:
        done = ssh(first, login, "-o", known)
        assert done.returncode == 0, done.stderr
    with server(tmp_path / "second") as second:
        assert "verification failed" in ssh(second, login, "-o", known).stderr
        other = ssh(second, _login(machine("i-2"), None), "-o", known)
        assert other.returncode == 0, other.stderr
