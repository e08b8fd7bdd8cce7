"""Whose trouble a failed task is."""

from __future__ import annotations

from typing import Any

import pytest

from e2e_ansible.judge.cause import cause_of, is_infrastructure
from e2e_ansible.judge.result import Failure
from e2e_ansible.verdict import Cause

PRODUCT, INFRASTRUCTURE, HARNESS, CLEAN_UP = (
    Cause.PRODUCT,
    Cause.INFRASTRUCTURE,
    Cause.HARNESS,
    Cause.CLEAN_UP,
)
REFUSED = "refused: this is the controller"
BY_A_SCRIPT = "refused: invalid value for parameter"
PSQL = "psql: error: connection to server failed: Connection refused"
DISK = "could not write to file: No space left on device"


def failure(message: str, **more: Any) -> Failure:
    return Failure(**{"host": "n11", "task": "Act", "message": message, "kind": "failed", **more})


CASES: dict[str, tuple[Failure, Cause, Cause]] = {
    "by itself what the step says": (failure("no"), PRODUCT, PRODUCT),
    "of the installation": (failure("no", role="postgresql"), PRODUCT, PRODUCT),
    "of the removal": (failure("no", action="provision"), CLEAN_UP, CLEAN_UP),
    "the guard refused": (failure(REFUSED, action="guard"), INFRASTRUCTURE, HARNESS),
    "the guard of a power act refused": (failure(REFUSED, action="node_power"), INFRASTRUCTURE, HARNESS),
    "a crash refused": (failure(REFUSED, action="raw", role="crash_node"), INFRASTRUCTURE, HARNESS),
    "a reboot refused": (failure(f"Closed.\n{REFUSED}", role="reboot_node"), INFRASTRUCTURE, HARNESS),
    "a guard that failed otherwise": (
        failure("unrefused: no", action="guard"),
        INFRASTRUCTURE,
        INFRASTRUCTURE,
    ),
    "a script of a role refused": (
        failure(BY_A_SCRIPT, action="raw", role="postgresql", rc=2),
        PRODUCT,
        PRODUCT,
    ),
    "unreachable": (failure("no answer", kind="unreachable"), PRODUCT, INFRASTRUCTURE),
    "unreachable at the removal": (failure("no answer", kind="unreachable"), CLEAN_UP, CLEAN_UP),
    "a full disk": (failure(DISK, role="postgresql"), PRODUCT, INFRASTRUCTURE),
    "a full disk at the removal": (failure(DISK, action="provision"), CLEAN_UP, CLEAN_UP),
    "our own act on the way to the product": (failure("no", action="await_node"), PRODUCT, INFRASTRUCTURE),
    "our own look": (failure("no", action="observe"), PRODUCT, INFRASTRUCTURE),
    "a user's command speaks for itself": (failure(PSQL, action="command", rc=2), PRODUCT, PRODUCT),
    "a user's command on a full disk": (failure(DISK, action="command", rc=1), PRODUCT, PRODUCT),
    "a user's command to a node that is silent": (
        failure("no answer", action="command", kind="unreachable"),
        PRODUCT,
        INFRASTRUCTURE,
    ),
    "a user's command that could not be run": (failure(DISK, action="command"), PRODUCT, INFRASTRUCTURE),
    "a role's command on a full disk": (
        failure(DISK, action="command", role="postgresql", rc=1),
        PRODUCT,
        INFRASTRUCTURE,
    ),
}


@pytest.mark.parametrize(("found", "otherwise", "cause"), CASES.values(), ids=CASES)
def test_cause(found: Failure, otherwise: Cause, cause: Cause) -> None:
    assert cause_of(found, otherwise) is cause


OUTSIDE = """\
[Errno 28] No space left on device
Disk quota exceeded
mkdir: cannot create directory: Read-only file system
fork: Cannot allocate memory
E: Unable to locate package postgresql-99
Package 'etcd' has no installation candidate
No package matching 'patroni' is available
version 99 is not available here
E: Failed to fetch http://deb.example/dists/InRelease
E: Unable to fetch some archives
Hash Sum mismatch
The repository does not have a Release file.
Temporary failure in name resolution
Temporary failure resolving 'deb.example'
curl: (6) Could not resolve host: deb.example
Name or service not known
Could not get lock /var/lib/dpkg/lock-frontend
Unable to lock the administration directory
ssh: connect to host 192.0.2.11 port 22: Connection timed out
ssh: connect to host 192.0.2.11 port 22: Connection refused
kex_exchange_identification: read: Connection reset by peer
ssh: connect to host 192.0.2.11 port 22: No route to host
Network is unreachable
Permission denied (publickey).
Host key verification failed.
REMOTE HOST IDENTIFICATION HAS CHANGED
Data could not be sent to remote host "192.0.2.11".
Failed to connect to the host via ssh
Failed to create temporary directory.
unable to create local directories"""


@pytest.mark.parametrize("text", OUTSIDE.splitlines())
def test_words_of_machines_and_networks(text: str) -> None:
    assert is_infrastructure(f"before\n{text} after")


@pytest.mark.parametrize(
    "text", ["", "invalid value", "permission denied for table", "FATAL: the database is down"]
)
def test_words_of_the_product(text: str) -> None:
    assert not is_infrastructure(text)
