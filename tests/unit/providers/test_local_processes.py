"""A kill hits exactly the process that was looked at, and never the controller."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import GuardError
from e2e_ansible.providers.local import processes

MARK = {"E2E_TEST_MARK": uuid.uuid4().hex}


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    made = subprocess.Popen(["sleep", "60"], env={**os.environ, **MARK})
    yield made
    made.kill()
    made.wait()


def found() -> list[processes.Process]:
    return Deadline(5).wait_for(lambda: [p for p in processes.marked(MARK) if p.command[:1] == ("sleep",)])


def test_a_marked_process_is_found_and_killed(child: subprocess.Popen[bytes]) -> None:
    (process,) = found()
    assert process.pid == child.pid
    assert not process.is_leader
    assert processes.send(process, signal.SIGKILL)
    assert child.wait(5) == -signal.SIGKILL
    assert processes.marked(MARK) == []


def test_a_pid_that_was_used_again_is_not_killed(child: subprocess.Popen[bytes]) -> None:
    (process,) = found()
    assert not processes.send(replace(process, start=process.start - 1), signal.SIGKILL)
    assert child.poll() is None


def test_a_process_that_is_gone_is_no_error(child: subprocess.Popen[bytes]) -> None:
    (process,) = found()
    child.kill()
    child.wait()
    assert not processes.send(process, signal.SIGKILL)


NOT_TO_BE_HIT = {"nobody": 0, "init": 1, "all": -1, "this process": os.getpid(), "its parent": os.getppid()}


@pytest.mark.parametrize("pid", NOT_TO_BE_HIT.values(), ids=NOT_TO_BE_HIT)
def test_the_controller_is_refused(pid: int) -> None:
    me = processes.read(os.getpid())
    assert me is not None
    with pytest.raises(GuardError):
        processes.send(replace(me, pid=pid), signal.SIGKILL)


def test_a_controller_with_the_marks_in_its_own_environment_is_not_found() -> None:
    me = processes.read(os.getpid())
    assert me is not None
    name, _, value = next(word for word in me.environment if "=" in word).partition("=")
    assert os.getpid() not in [process.pid for process in processes.marked({name: value})]


def test_a_mark_must_match_completely(child: subprocess.Popen[bytes]) -> None:
    assert found()
    assert processes.marked({"E2E_TEST_MARK": MARK["E2E_TEST_MARK"][:-1]}) == []
