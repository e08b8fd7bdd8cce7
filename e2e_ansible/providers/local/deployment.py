"""Makes and removes what a deployment consists of: keys, disks, network, nodes; shows that none is left."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import CleanUpError, E2EError, ProviderError
from e2e_ansible.providers.local import network, processes
from e2e_ansible.providers.local.cgroups import remove_groups
from e2e_ansible.providers.local.inotify import await_room
from e2e_ansible.providers.local.mounts import mounts_below, remove_tree, unmount_below
from e2e_ansible.providers.local.node import LocalNode
from e2e_ansible.providers.local.record import Deployment, DeploymentRecord, NodeRecord, Store
from e2e_ansible.providers.system import locked, run, write_durably

__all__ = ["create", "destroy", "leftovers", "local_node", "local_nodes", "make_secrets"]

_LOCK_SECONDS = 120
_START_SECONDS = 60
_KILL_SECONDS = 20
_AT_ONCE = 4
_PROPAGATED = Path("/run/systemd/nspawn/propagate")

T = TypeVar("T")


def local_nodes(deployment: Deployment, store: Store) -> list[LocalNode]:
    """Its nodes in the order of the plan."""
    return [local_node(deployment, node, store) for node in deployment.record.nodes]


def local_node(deployment: Deployment, node: NodeRecord, store: Store) -> LocalNode:
    """One of its nodes."""
    return LocalNode(deployment, node, store.images / deployment.record.image)


@contextlib.contextmanager
def held(deployment: Deployment) -> Iterator[None]:
    """Keep `create` and `destroy` apart; the folder is its own lock, so that no lock file outlives it.

    Raises:
        FileNotFoundError: the deployment was removed meanwhile.
    """
    folder = deployment.folder
    before = folder.stat().st_ino
    with locked(folder, _LOCK_SECONDS) as descriptor:
        if not before == folder.stat().st_ino == os.fstat(descriptor).st_ino:
            raise FileNotFoundError(folder)
        yield


def make_secrets(deployment: Deployment) -> None:
    """Client key pair, client password and one host key per node. What is there stays."""
    make_key(deployment.key, f"e2e-ansible {deployment.record.id}")
    if not deployment.client_password.exists():
        write_durably(deployment.client_password, secrets.token_urlsafe(24))
    for node in deployment.record.nodes:
        folder = deployment.node_folder(node)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_key(folder / "ssh_host_ed25519_key", f"root@{node.name}")
    write_durably(deployment.known_hosts, known_hosts(deployment))


def make_key(path: Path, comment: str) -> None:
    """Make an ed25519 key pair, replacing half of one."""
    public = path.with_name(f"{path.name}.pub")
    if path.exists() and public.exists():
        return
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def known_hosts(deployment: Deployment) -> str:
    """One line per node, by its address."""
    lines = []
    for node in deployment.record.nodes:
        public = (deployment.node_folder(node) / "ssh_host_ed25519_key.pub").read_text().split()
        lines.append(f"{node.address} {public[0]} {public[1]}\n")
    return "".join(lines)


def create(deployment: Deployment, store: Store) -> bool:
    """Bring up the network and start every node; whether anything was made or started.

    Raises:
        ProviderError: not every node was started. What was made stays recorded, for `destroy`.
    """

    def make(node: LocalNode) -> bool:
        seed(deployment, node)
        return node.start(Deadline(_START_SECONDS))

    with held(deployment):
        await_room(len(deployment.record.nodes))
        with store.lock():
            changed = network.bring_up(deployment.record, store.home)
        return any([changed, *_on_all(local_nodes(deployment, store), make)])


def seed(deployment: Deployment, node: LocalNode) -> None:
    """Write what makes a node itself into its upper folder, once and before it is first mounted."""
    if node.seeded or node.running():
        return
    unmount_below(node.folder)
    upper = node.folder / "upper"
    if upper.exists():
        remove_tree(upper)
    for path, (text, mode) in seed_files(deployment, node.record).items():
        target = upper / path
        _make_folders(upper, target.parent)
        write_durably(target, text, mode)
    write_durably(node.folder / "seeded", "")


def _make_folders(upper: Path, folder: Path) -> None:
    """An upper folder hides the mode of the lower one, so it must have the same."""
    for part in (upper, *(upper / path for path in reversed(folder.relative_to(upper).parents)), folder):
        if not part.exists():
            private = "root" in part.relative_to(upper).parts
            part.mkdir()
            part.chmod(0o700 if private else 0o755)


def seed_files(deployment: Deployment, node: NodeRecord) -> dict[str, tuple[str, int]]:
    """Path in the node, content, mode."""
    record = deployment.record
    key = deployment.node_folder(node) / "ssh_host_ed25519_key"
    hosts = "".join(f"{other.address} {other.name}\n" for other in record.nodes)
    return {
        "etc/hostname": (f"{node.name}\n", 0o644),
        "etc/machine-id": (f"{node.machine_id}\n", 0o444),
        "etc/hosts": (f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{hosts}", 0o644),
        "etc/resolv.conf": (resolver(), 0o644),
        "etc/systemd/network/10-e2e.network": (
            f"[Match]\nName=host0\n\n[Network]\nAddress={node.address}/{record.subnet.prefixlen}\n"
            f"Gateway={record.gateway}\nIPv6AcceptRA=no\nLinkLocalAddressing=no\n",
            0o644,
        ),
        "etc/ssh/ssh_host_ed25519_key": (key.read_text(), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": (key.with_name(f"{key.name}.pub").read_text(), 0o644),
        "root/.ssh/authorized_keys": (deployment.key.with_name("id_ed25519.pub").read_text(), 0o600),
    }


def resolver(
    configured: Path = Path("/etc/resolv.conf"), behind_stub: Path = Path("/run/systemd/resolve/resolv.conf")
) -> str:
    """Name servers a node can reach: a server on the controller's loopback is none."""
    text = configured.read_text() if configured.exists() else ""
    if "nameserver 127." in text and behind_stub.exists():
        return behind_stub.read_text()
    return text


def destroy(deployment: Deployment, store: Store) -> bool:
    """Remove everything and prove it; False when it was gone already. The record goes last.

    Raises:
        CleanUpError: something is left; the record stays, so that it can be repeated.
    """
    try:
        with held(deployment):
            _remove(deployment, store)
    except FileNotFoundError:
        return False
    except (OSError, ProviderError) as error:
        raise CleanUpError(f"deployment {deployment.record.id} is not removed: {error}") from error
    return True


def _remove(deployment: Deployment, store: Store) -> None:
    record = deployment.record
    steps: tuple[Callable[[], object], ...] = (
        lambda: _on_all(local_nodes(deployment, store), lambda node: node.hard_off(Deadline(_KILL_SECONDS))),
        lambda: unmount_below(deployment.folder),
        lambda: _remove_network(record, store),
    )
    errors = [error for step in steps if (error := _attempted(step))]
    for node in record.nodes:
        _remove_propagated(node)
    left = leftovers(deployment)
    if left:
        why = "".join(f"\n{error}" for error in errors)
        raise CleanUpError(f"deployment {record.id} is not removed completely{why}", hint="; ".join(left))
    store.forget(deployment)


def _attempted(step: Callable[[], object]) -> E2EError | None:
    """A failed step must not keep the next from removing what it can."""
    try:
        step()
    except E2EError as error:
        return error
    return None


def _remove_network(record: DeploymentRecord, store: Store) -> None:
    with store.lock():
        network.take_down(record, store.home, last=store.ids() == [record.id])


def leftovers(deployment: Deployment) -> list[str]:
    """What still exists outside of the deployment's folder, as the commands that remove it."""
    nodes = deployment.record.nodes
    keys = {f"E2E_NODE_KEY={node.machine_id}" for node in nodes}
    found = processes.marked({"E2E_DEPLOYMENT": deployment.record.id})
    left = [f"kill -9 {process.pid}" for process in found if process.environment & keys]
    left += [f"umount {path}" for path in mounts_below(deployment.folder)]
    left += [f"rmdir {path}" for node in nodes for path in remove_groups(node.machine)]
    return left + network.leftovers(deployment.record)


def _remove_propagated(node: NodeRecord) -> None:
    """nspawn leaves an empty folder, and outside of systemd also what was mounted from it."""
    with contextlib.suppress(OSError):
        (_PROPAGATED / node.machine).rmdir()


def _on_all(nodes: list[LocalNode], act: Callable[[LocalNode], T]) -> list[T]:
    """Act on a few nodes at a time; all are tried, then one error tells of all that failed."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        pending = [pool.submit(act, node) for node in nodes]
        errors = [error for future in pending if (error := future.exception())]
    unexpected = [error for error in errors if not isinstance(error, E2EError)]
    if unexpected:
        raise unexpected[0]
    if errors:
        raise ProviderError("\n".join(str(error) for error in errors)) from errors[0]
    return [future.result() for future in pending]
