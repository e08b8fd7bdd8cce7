"""Every process of a playbook is found and ended, whatever it does; nobody else's is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.processes import TOKEN_VARIABLE, end_all, family, marked

GRACE = 0.3
SLEEP = "import time; time.sleep(60)"
IGNORES = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {ready}; time.sleep(60)"


class Zoo:
    """Starts Python processes with the token of this test, and says when they are ready."""

    def __init__(self, folder: Path) -> None:
        self.token = f"test-{uuid.uuid4().hex}"
        self._folder = folder
        self._roots: list[subprocess.Popen[bytes]] = []

    def start(self, code: str, *, token: str | None = None, ready: int = 1) -> subprocess.Popen[bytes]:
        """Run code, in which `{ready}` leaves a file, until that many files are there."""
        place = self._folder / uuid.uuid4().hex
        place.mkdir()
        say = f"import os; open(os.path.join({str(place)!r}, str(os.getpid())), 'w').close()"
        code = textwrap.dedent(code)
        script = code.replace("{ready}", say) if "{ready}" in code else f"{say}\n{code}"
        environment = {**os.environ, TOKEN_VARIABLE: self.token if token is None else token}
        root = subprocess.Popen([sys.executable, "-c", script], env=environment)
        self._roots.append(root)
        assert Deadline(20).wait_for(lambda: len(list(place.iterdir())) >= ready)
        self.pids = {int(file.name) for file in place.iterdir()}
        return root

    def close(self) -> None:
        """End what a failed test has left."""
        end_all(
            self.token, roots=[root.pid for root in self._roots if root.poll() is None], grace_seconds=GRACE
        )
        for root in self._roots:
            root.kill()
            root.wait()


@pytest.fixture
def zoo(tmp_path: Path) -> Iterator[Zoo]:
    made = Zoo(tmp_path)
    yield made
    made.close()


def lives(pid: int) -> bool:
    """Whether it runs; a child of ours that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


STUBBORN = {
    "it ends when asked": (SLEEP, 1),
    "it ignores SIGTERM": (IGNORES, 1),
    "its child ignores SIGTERM and outlives it": (
        """
        import signal, subprocess, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(["sleep", "60"])
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        {ready}
        time.sleep(60)
        """,
        2,
    ),
    "it is a daemon: another session, and no parent of ours": (
        """
        import os, time
        if os.fork(): os._exit(0)
        os.setsid()
        if os.fork(): os._exit(0)
        {ready}
        time.sleep(60)
        """,
        1,
    ),
    "it starts another one whenever it is asked to end": (
        """
        import os, signal, subprocess, sys, time
        def again(*_):
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
            os._exit(0)
        signal.signal(signal.SIGTERM, again)
        {ready}
        time.sleep(60)
        """,
        1,
    ),
    "it is stopped": ("import os, signal; {ready}; os.kill(os.getpid(), signal.SIGSTOP)", 1),
}


@pytest.mark.parametrize(("code", "count"), STUBBORN.values(), ids=STUBBORN)
def test_whatever_carries_the_token_ends(zoo: Zoo, code: str, count: int) -> None:
    zoo.start(code)
    assert zoo.pids <= {*(before := marked(zoo.token))}
    assert len(before) == count
    assert end_all(zoo.token, grace_seconds=GRACE) == []
    assert marked(zoo.token) == []
    assert not [pid for pid in before if lives(pid)]


def test_a_token_covers_those_below_it_and_no_other(zoo: Zoo) -> None:
    below = zoo.start(SLEEP, token=f"{zoo.token}/test/01-step")
    beside = zoo.start(SLEEP, token=f"{zoo.token}-2")
    assert marked(f"{zoo.token}/test") == marked(zoo.token) == [below.pid]
    assert marked(f"{zoo.token}/te") == marked(zoo.token[:-1]) == []
    assert end_all(zoo.token, grace_seconds=GRACE) == []
    assert (below.wait(5), beside.poll()) == (-signal.SIGTERM, None)


def test_one_who_ends_when_asked_is_not_killed(zoo: Zoo) -> None:
    code = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); {ready}; time.sleep(60)"
    root = zoo.start(code)
    assert end_all(zoo.token, grace_seconds=20) == []
    assert root.wait(5) == 7


def test_we_are_never_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, value = Path("/proc/self/environ").read_text().split("\0")[0].partition("=")
    monkeypatch.setattr("e2e_ansible.engine.processes.TOKEN_VARIABLE", name)
    assert os.getpid() not in marked(value)


def test_nobody_carries_an_unknown_token() -> None:
    token = uuid.uuid4().hex
    assert (marked(token), end_all(token, grace_seconds=0)) == ([], [])


# a family

FORKS = """
    import os, signal, time
    for _ in range(2):
        if not os.fork():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            {ready}
            time.sleep(60)
    time.sleep(60)
    """
NO_TOKEN = "of someone else"


def test_a_family_is_the_process_and_all_who_descend_from_it(zoo: Zoo) -> None:
    root = zoo.start(FORKS, token=NO_TOKEN, ready=2)
    assert set(family(root.pid)) == {root.pid, *zoo.pids}
    assert family(root.pid)[0] == root.pid
    assert root.pid in family(os.getpid())


def test_one_that_has_ended_has_no_family(zoo: Zoo) -> None:
    root = zoo.start("pass")
    root.wait(20)
    assert family(root.pid) == []


def test_forked_children_end_with_their_root_though_they_show_no_token(zoo: Zoo) -> None:
    root = zoo.start(FORKS, token=NO_TOKEN, ready=2)
    assert marked(zoo.token) == []
    assert end_all(zoo.token, roots=[root.pid], grace_seconds=GRACE) == []
    assert not [pid for pid in {root.pid, *zoo.pids} if lives(pid)]


def test_a_root_that_has_ended_is_no_error(zoo: Zoo) -> None:
    root = zoo.start("pass")
    root.wait(20)
    assert end_all(zoo.token, roots=[root.pid], grace_seconds=GRACE) == []


def test_one_that_cannot_be_signalled_is_told(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    root = zoo.start(SLEEP)

    def refuse(pid: int, number: int) -> None:
        raise PermissionError(pid, number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", refuse)  # as of a process that has become root
        assert end_all(zoo.token, grace_seconds=0) == [root.pid]
    assert lives(root.pid)
