"""Real local nodes for the tests of roles: made once per module, reached by ssh, destroyed always."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.providers.base import DeploymentSpec, Node, NodeSpec, Operation, Provider
from e2e_ansible.providers.home import default_home
from e2e_ansible.providers.local.deployment import local_node
from e2e_ansible.providers.local.record import Store
from e2e_ansible.providers.registry import get_provider

REPOSITORY = Path(__file__).resolve().parents[2]

#: Home and id of each deployment that a test has made; at the end of the session no trace of one may be left.
MADE: set[tuple[Path, str]] = set()


@dataclass(frozen=True)
class Played:
    """One run of a playbook."""

    code: int
    output: str
    seconds: float

    @property
    def changed(self) -> dict[str, int]:
        """How many tasks changed something, by host, from the recap."""
        return {
            host: int(count)
            for host, count in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", self.output, re.M)
        }


class Cluster:
    """A deployment of the provider `local` and an ordinary inventory file for it."""

    def __init__(self, provider: Provider, deployment: str, folder: Path) -> None:
        self.provider = provider
        self.deployment = deployment
        self.folder = folder

    @property
    def nodes(self) -> dict[str, Node]:
        return {node.name: node for node in self.provider.nodes(self.deployment)}

    def variable(self, node: str, name: str) -> str:
        return str(self.nodes[node].variables[name])

    def inventory(self, names: Sequence[str]) -> Path:
        nodes = self.nodes
        hosts = {name: dict(nodes[name].variables) for name in names}
        path = self.folder / f"{'-'.join(names)}.json.yml"
        path.write_text(json.dumps({"all": {"children": {"database": {"hosts": hosts}}}}))
        return path

    def play(self, playbook: str, names: Sequence[str], *options: str, **variables: object) -> Played:
        command = [sys.executable, "-m", "ansible", "playbook", f"playbooks/{playbook}.yml", *options]
        command += ["-i", str(self.inventory(names)), "-e", json.dumps(variables)]
        begin = time.monotonic()
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "ANSIBLE_NOCOLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        return Played(done.returncode, done.stdout, time.monotonic() - begin)

    def ssh(self, node: str, command: str, *, text: str = "") -> str:
        done = self.try_ssh(node, command, text=text)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def try_ssh(self, node: str, command: str, *, text: str = "") -> subprocess.CompletedProcess[str]:
        there = self.nodes[node].variables
        extra = str(there["ansible_ssh_common_args"]).split()
        key = [
            "-i",
            str(there["ansible_ssh_private_key_file"]),
            "-o",
            "ConnectTimeout=3",
            "-o",
            "BatchMode=yes",
        ]
        target = f"{there['ansible_user']}@{there['ansible_host']}"
        return subprocess.run(
            ["ssh", *key, *extra, target, command],
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def sql(self, node: str, statement: str) -> str:
        return self.ssh(
            node, "cd / && runuser -u postgres -- psql -X -qAt -v ON_ERROR_STOP=1 -d postgres", text=statement
        )

    def inside(self, node: str, *command: str) -> None:
        """Run a command in the namespaces of a node, whether it answers over ssh or not."""
        store = Store(default_home())
        deployment = store.load(self.deployment)
        (leader,) = local_node(deployment, deployment.node(node), store).running().leaders
        spaces = ["nsenter", "--target", str(leader.pid), "--mount", "--pid", "--net", "--ipc", "--uts"]
        subprocess.run([*spaces, *command], check=True, timeout=30)

    def power(self, node: str, operation: Operation) -> None:
        self.provider.power(self.deployment, node, operation, 60)
        if operation is not Operation.HARD_OFF:
            self.await_ssh([node])

    def await_ssh(self, names: Sequence[str]) -> None:
        deadline = time.monotonic() + 60
        for name in names:
            while self.try_ssh(name, "true").returncode != 0:
                assert time.monotonic() < deadline, f"{name} does not answer over ssh"
                time.sleep(0.2)


@contextmanager
def cluster(names: Sequence[str], folder: Path) -> Iterator[Cluster]:
    """A fresh deployment."""
    provider = get_provider("local")
    assert [finding.detail for finding in provider.doctor() if not finding.ok] == []
    deployment = f"pgrole-{uuid.uuid4().hex[:8]}"
    MADE.add((default_home(), deployment))
    try:
        provider.prepare(DeploymentSpec(id=deployment, nodes=tuple(NodeSpec(name=name) for name in names)))
        provider.create(deployment)
        made = Cluster(provider, deployment, folder)
        made.await_ssh(names)
        yield made
    finally:
        provider.destroy(deployment)
