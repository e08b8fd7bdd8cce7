"""Addresses of local nodes: one pool, in which no two deployments of a machine meet, however many come at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path

from e2e_ansible.providers.local.network import POOL
from e2e_ansible.providers.local.record import Store

REPOSITORY = Path(__file__).parents[3]
#: Records as the driver makes them, under its lock; none of them gets nodes.
TAKE = """
import os, signal, sys
from pathlib import Path
from e2e_ansible.providers.base import DeploymentSpec, NodeSpec
from e2e_ansible.providers.local.driver import LocalProvider

provider = LocalProvider(Path(sys.argv[1]))
store = provider._store
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    spec = DeploymentSpec(id=f"d{sys.argv[2]}-{number}", nodes=(NodeSpec(name="n11"), NodeSpec(name="n12")))
    with store.lock():
        made = provider._new(spec)
        if number == int(sys.argv[4]):
            print("inside", flush=True)
            sys.stdin.readline()
        store.add(made)
"""


def taking(home: Path, name: str, number: int, dies_at: int = -1) -> subprocess.Popen[str]:
    """A process that is about to record so many deployments."""
    return subprocess.Popen(
        [sys.executable, "-c", TAKE, str(home), name, str(number), str(dies_at)],
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line(of: subprocess.Popen[str]) -> str:
    assert of.stdout is not None
    return of.stdout.readline().strip()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_many_processes_and_one_that_dies_get_addresses_of_their_own(tmp_path: Path) -> None:
    dying = taking(tmp_path, "x", 3, dies_at=1)
    crowd = [taking(tmp_path, str(number), 5) for number in range(4)]
    assert [line(each) for each in (dying, *crowd)] == ["ready"] * 5
    go(dying)
    assert line(dying) == "inside"  # it has the lock, and has chosen
    for each in crowd:
        go(each)
    dying.send_signal(signal.SIGKILL)
    dying.communicate(timeout=20)
    assert [each.communicate(timeout=60) and each.returncode for each in crowd] == [0] * 4
    records = Store(tmp_path).records()
    assert len(records) == 1 + 4 * 5
    subnets = {record.subnet for record in records}
    assert len(subnets) == len(records)
    assert all(subnet.subnet_of(POOL) for subnet in subnets)
    addresses = [node.address for record in records for node in record.nodes]
    assert len(set(addresses)) == len(addresses) == 2 * len(records)
    assert all(
        IPv4Network(f"{node.address}/32").subnet_of(each.subnet) for each in records for node in each.nodes
    )
    names = [node.interface for record in records for node in record.nodes] + [
        record.bridge for record in records
    ]
    assert len(set(names)) == len(names)
