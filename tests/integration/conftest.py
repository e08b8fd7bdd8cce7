"""What the tests of whole runs share."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import told
from real_runs import Desk, a_desk, deployment_traces
from role_nodes import MADE
from which_stroppy import Stroppy, choose

from e2e_ansible.deadline import Deadline

_MARK = "E2E_TEST_SESSION"
#: An ssh connection that ansible-playbook has left open notices the end of its node after some seconds.
_SSH_MASTERS_SECONDS = 90


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """The command line in a folder of its own."""
    with a_desk(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def stroppy(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Stroppy:
    """The one that all tests of a session use; the summary says which."""
    folder = tmp_path_factory.getbasetemp()
    chosen = choose(folder.parent if hasattr(request.config, "workerinput") else folder)
    told.tell(request.config, chosen.title)
    if chosen.error:
        pytest.fail(chosen.error, pytrace=False)
    return chosen


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After all tests, no process that they started lives, and of what they deployed no trace is left."""
    mark = f"{_MARK}={uuid.uuid4().hex}"
    os.environ[_MARK] = mark.partition("=")[2]
    yield
    del os.environ[_MARK]
    Deadline(_SSH_MASTERS_SECONDS).wait_for(lambda: not _carrying(mark), 0.5)
    assert _carrying(mark) == []
    assert _folders_of_no_engine() == set()
    assert [line for home, deployment in sorted(MADE) for line in deployment_traces(deployment, home)] == []


def _folders_of_no_engine() -> set[Path]:
    """Where a warm engine has kept the files of a running step, in memory or below /tmp, and lives no more.

    Tests of other processes begin and end engines at the same time; what they have just made has its engine soon.
    """
    left = _without_engine()

    def gone() -> bool:
        left.intersection_update(_without_engine())
        return not left

    Deadline(_SSH_MASTERS_SECONDS).wait_for(gone, 0.5)
    return left


def _without_engine() -> set[Path]:
    commands = b"".join(_read(path) for path in Path("/proc").glob("[0-9]*/cmdline"))
    folders = [path for place in ("/dev/shm", "/tmp") for path in Path(place).glob("e2e-warm-*")]
    return {path for path in folders if str(path).encode() not in commands}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _carrying(mark: str) -> list[str]:
    """Processes with this in their environment: everything that was started below this session."""
    return [line for entry in Path("/proc").iterdir() if (line := _line(entry, mark.encode()))]


def _line(process: Path, mark: bytes) -> str:
    try:
        environment = (process / "environ").read_bytes() if process.name.isdecimal() else b""
        command = (process / "cmdline").read_bytes() if mark in environment.split(b"\0") else b""
    except OSError:  # it has ended
        return ""
    return f"{process.name} {command.decode(errors='replace')}" if command else ""
