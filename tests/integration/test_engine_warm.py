"""What only a warm engine can get wrong: its parent, its children, and what is left of both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml

from e2e_ansible.compile.compiler import ANSIBLE_CFG
from e2e_ansible.deadline import Deadline
from e2e_ansible.engine.event import Event, Kind
from e2e_ansible.engine.processes import family
from e2e_ansible.engine.protocol import Cancel, Ended, Outcome, PlayRequest
from e2e_ansible.engine.warm import engine as warm_engine
from e2e_ansible.engine.warm.engine import WarmEngine

REPOSITORY = Path(__file__).parents[2]
#: How long those of this process sleep: nobody else's command line has this word.
SECONDS = f"4321.{os.getpid()}"
SLEEP = {"ansible.builtin.command": f"sleep {SECONDS}"}
DEBUG = {"ansible.builtin.debug": {"msg": "here"}}


@pytest.fixture
def engine() -> Iterator[WarmEngine]:
    made = WarmEngine(ANSIBLE_CFG, REPOSITORY, ())
    yield made
    made.close()


@pytest.fixture
def request_(tmp_path: Path) -> PlayRequest:
    return a_request(tmp_path, DEBUG)


def a_request(folder: Path, *tasks: Mapping[str, object]) -> PlayRequest:
    (folder / "ansible.cfg").write_text(ANSIBLE_CFG)
    (folder / "hosts.ini").write_text(
        f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n"
    )
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [dict(task) for task in tasks]}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    artifacts = folder / "artifacts"
    artifacts.mkdir()
    environment = {"TMPDIR": str(folder)}  # of a cold run; a module that is killed leaves a folder there
    return PlayRequest(folder, "play.yml", "hosts.ini", artifacts, 60, f"warm-{folder.name}", environment)


def run(engine: WarmEngine, request: PlayRequest) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    return engine.run(request, events.append, Cancel()), events


def assert_idle(engine: WarmEngine) -> None:
    """Nothing is there but the parent and the child that waits for the next playbook."""
    parent, *children = family(engine.parent_id)
    assert parent == engine.parent_id
    assert len(children) == 1
    assert _read(Path(f"/proc/{children[0]}/cmdline")) == _read(Path(f"/proc/{parent}/cmdline"))


def sleepers(pid: int) -> list[int]:
    """Those in the family of a process that sleep as the playbook told them."""
    return [each for each in family(pid) if _sleeps(each)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@contextmanager
def once_asleep(engine: WarmEngine, act: Callable[[int], object]) -> Iterator[list[float]]:
    """Does `act` with the id of the parent as soon as a playbook sleeps; gives the time of it."""
    acted: list[float] = []

    def wait() -> None:
        pid = engine.parent_id
        if Deadline(30).wait_for(lambda: bool(sleepers(pid)), interval=0.02):
            acted.append(time.monotonic())
            act(pid)

    thread = threading.Thread(target=wait)
    thread.start()
    yield acted
    thread.join()
    assert acted


def test_a_playbook_is_forked_and_says_so(engine: WarmEngine, request_: PlayRequest) -> None:
    for _ in range(3):
        outcome, events = run(engine, request_)
        assert (outcome.ended, outcome.rc, outcome.engine, outcome.why) == (Ended.COMPLETED, 0, "warm", "")
        assert [event.result["msg"] for event in events if event.kind is Kind.OK] == ["here"]
    assert (request_.artifacts / "ansible.log").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in request_.artifacts.iterdir()] == ["ansible.log"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ANSIBLE_FORKS", "the environment differs: ANSIBLE_FORKS"),
        ("PYTHONWARNINGS", "the environment differs: PYTHONWARNINGS"),
    ],
)
def test_a_setting_frozen_in_the_parent_is_run_cold(
    engine: WarmEngine, request_: PlayRequest, name: str, why: str
) -> None:
    outcome, _ = run(engine, replace(request_, environment={**request_.environment, name: "7"}))
    assert (outcome.rc, outcome.engine, outcome.why) == (0, "cold", why)


def test_another_configuration_is_run_cold(engine: WarmEngine, request_: PlayRequest) -> None:
    (request_.project / "ansible.cfg").write_text(ANSIBLE_CFG + "\n")
    outcome, _ = run(engine, request_)
    assert (outcome.rc, outcome.engine, outcome.why) == (0, "cold", "its ansible.cfg is another one")


def test_other_variables_reach_the_playbook_and_never_the_next_one(
    engine: WarmEngine, tmp_path: Path
) -> None:
    look = {"ansible.builtin.debug": {"msg": "{{ lookup('ansible.builtin.env', 'CANARY') }}"}}
    request = a_request(tmp_path, look)
    said = [
        [
            event.result["msg"]
            for event in run(engine, replace(request, environment=more))[1]
            if event.kind is Kind.OK
        ]
        for more in ({"CANARY": "one"}, {}, {"CANARY": "two"})
    ]
    assert said == [["one"], [""], ["two"]]


def test_a_parent_that_is_gone_before_the_fork_is_replaced_by_a_process(
    engine: WarmEngine, request_: PlayRequest
) -> None:
    assert run(engine, request_)[0].engine == "warm"
    os.kill(engine.parent_id, signal.SIGKILL)
    outcome, events = run(engine, request_)
    assert (outcome.rc, outcome.engine) == (0, "cold")
    assert "the warm parent" in outcome.why
    assert [event.result["msg"] for event in events if event.kind is Kind.OK] == ["here"]


def test_a_parent_killed_in_the_middle_ends_the_step_at_once(engine: WarmEngine, tmp_path: Path) -> None:
    request = a_request(tmp_path, SLEEP)
    with once_asleep(engine, lambda pid: os.kill(pid, signal.SIGKILL)):
        begin = time.monotonic()
        outcome, _ = run(engine, request)
    assert (outcome.ended, outcome.rc) == (Ended.ERROR, None)
    assert "the warm parent died" in outcome.message
    assert time.monotonic() - begin < request.deadline_seconds / 2
    assert not _asleep()


def test_cancel_ends_every_process_of_the_playbook(engine: WarmEngine, tmp_path: Path) -> None:
    request, cancel = a_request(tmp_path, SLEEP), Cancel()
    with once_asleep(engine, lambda pid: cancel.set()):
        outcome = engine.run(request, lambda event: None, cancel)
    assert outcome.ended is Ended.CANCELED
    assert not _asleep()
    assert_idle(engine)


def test_a_deadline_ends_every_process_of_the_playbook(engine: WarmEngine, tmp_path: Path) -> None:
    run(engine, a_request(_new(tmp_path, "first"), DEBUG))
    request = replace(a_request(_new(tmp_path, "second"), SLEEP), deadline_seconds=2)
    outcome, _ = run(engine, request)
    assert (outcome.ended, outcome.engine) == (Ended.TIMEOUT, "warm")
    assert not _asleep()
    assert_idle(engine)


def test_playbooks_side_by_side_get_their_own_events(engine: WarmEngine, tmp_path: Path) -> None:
    def one(name: str) -> None:
        request = a_request(_new(tmp_path, name), {"ansible.builtin.debug": {"msg": name}})
        outcome, events = run(engine, request)
        said[name] = (outcome.engine, [event.result["msg"] for event in events if event.kind is Kind.OK])

    said: dict[str, tuple[str, list[str]]] = {}
    threads = [threading.Thread(target=one, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {name: ("warm", [name]) for name in "abcd"}


def test_the_socket_is_private_and_the_parent_holds_nothing_of_ours(
    engine: WarmEngine, request_: PlayRequest
) -> None:
    outcome, _ = run(engine, replace(request_, environment={"CANARY": "of-a-step"}))
    assert outcome.engine == "warm"
    pid = engine.parent_id
    assert (engine._folder / "warm").stat().st_mode & 0o777 == 0o600
    assert engine._folder.stat().st_mode & 0o777 == 0o700
    assert b"of-a-step" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert os.getsid(pid) == pid
    assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1


def test_nothing_is_left_when_it_is_closed(request_: PlayRequest) -> None:
    engine = WarmEngine(ANSIBLE_CFG, REPOSITORY, ())
    assert run(engine, request_)[0].engine == "warm"
    pid, folder = engine.parent_id, engine._folder
    engine.close()
    assert (family(pid), folder.exists()) == ([], False)


def test_it_may_be_closed_while_it_boots() -> None:
    engine = WarmEngine(ANSIBLE_CFG, REPOSITORY, ())
    engine.close()
    assert (family(engine.parent_id), engine._folder.exists()) == ([], False)


def test_nothing_is_left_when_its_user_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from e2e_ansible.engine.warm.engine import WarmEngine;"
        f"engine = WarmEngine({ANSIBLE_CFG!r}, Path('/'), ());"
        "parent = engine._booting.result()[0]; assert parent.await_ready(30);"
        "print(parent.pid, engine._folder, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        pid, folder = user.stdout.readline().split()
        assert family(int(pid))
        user.kill()
    assert Deadline(10).wait_for(lambda: not family(int(pid)) and not Path(folder).exists(), interval=0.02)


def test_what_a_playbook_has_started_ends_with_the_user_who_is_killed(tmp_path: Path) -> None:
    """Also what has left its session and lost its parent, as a master of ssh does."""
    leaves = {"ansible.builtin.shell": f"setsid sh -c 'sleep {SECONDS}; true' & sleep {SECONDS}"}
    request = a_request(tmp_path, leaves)
    program = (
        "import sys; from pathlib import Path; from e2e_ansible.engine.warm.engine import WarmEngine;"
        "from e2e_ansible.engine.protocol import Cancel, PlayRequest;"
        f"engine = WarmEngine({ANSIBLE_CFG!r}, Path('/'), ());"
        "print(engine.parent_id, engine._folder, flush=True);"
        f"here, artifacts = Path({str(tmp_path)!r}), Path({str(request.artifacts)!r});"
        f"request = PlayRequest(here, 'play.yml', 'hosts.ini', artifacts, 60, {request.token!r});"
        "engine.run(request, lambda event: None, Cancel())"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        pid, folder = user.stdout.readline().split()
        assert Deadline(30).wait_for(lambda: len(sleepers(int(pid))) > 1, interval=0.02)
        user.kill()
    gone = Deadline(10).wait_for(lambda: not family(int(pid)) and not Path(folder).exists(), interval=0.02)
    assert gone
    assert not _asleep()


def test_what_a_playbook_has_made_to_stay_stays(engine: WarmEngine, tmp_path: Path) -> None:
    """A node is a process that nothing of the playbook's environment goes into."""
    stays = {"ansible.builtin.shell": f"env -i setsid sleep 4323 & echo $! > {tmp_path}/pid"}
    outcome, _ = run(engine, a_request(tmp_path, stays))
    assert (outcome.rc, outcome.engine) == (0, "warm")
    engine.close()
    pid = int((tmp_path / "pid").read_text())
    assert _read(Path(f"/proc/{pid}/cmdline")) == b"sleep\x004323\x00"
    os.kill(pid, signal.SIGKILL)


def test_a_waiting_child_that_is_killed_is_replaced(engine: WarmEngine, tmp_path: Path) -> None:
    run(engine, a_request(_new(tmp_path, "first"), DEBUG))
    _, waiting = family(engine.parent_id)
    os.kill(waiting, signal.SIGKILL)
    assert Deadline(5).wait_for(lambda: waiting not in family(engine.parent_id), interval=0.01)
    for number in range(2):
        outcome, events = run(engine, a_request(_new(tmp_path, f"after-{number}"), DEBUG))
        assert (outcome.ended, outcome.engine) == (Ended.COMPLETED, "warm")
        assert any(event.kind is Kind.OK for event in events)
    assert_idle(engine)


def test_each_playbook_has_a_child_of_its_own(engine: WarmEngine, tmp_path: Path) -> None:
    ids = []
    for number in range(3):
        folder = _new(tmp_path, str(number))
        tell = {"ansible.builtin.debug": {"msg": "{{ lookup('ansible.builtin.file', '/proc/self/stat') }}"}}
        _, events = run(engine, a_request(folder, tell))
        (said,) = (event.result["msg"] for event in events if event.kind is Kind.OK)
        ids.append(said.rpartition(")")[2].split()[1])
    assert len(set(ids)) == 3


@pytest.fixture
def small_memory() -> Iterator[Path]:
    """4 MiB of memory as a folder, whose path is short enough for a socket in it."""
    with TemporaryDirectory(prefix="e2e-small-", dir="/tmp") as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "e2e-test", folder], check=True)
        yield Path(folder)
        subprocess.run(["umount", folder], check=True)


def test_a_step_without_room_for_its_files_is_an_error_and_the_next_with_room_is_not(
    small_memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_engine, "_fast_place", lambda: str(small_memory))
    made = WarmEngine(ANSIBLE_CFG, REPOSITORY, ())
    try:
        assert run(made, a_request(_new(tmp_path, "before"), DEBUG))[0].rc == 0
        ballast = small_memory / "ballast"
        # The files of the step before may go a little later, so it is filled until nothing more goes in.
        assert Deadline(20).wait_for(lambda: _filled(ballast) == 0, 0.5)
        outcome, _ = run(made, a_request(_new(tmp_path, "full"), DEBUG))
        assert outcome.ended is Ended.ERROR
        assert "No space left" in outcome.message or "the step's log" in outcome.message
        ballast.unlink()
        assert run(made, a_request(_new(tmp_path, "after"), DEBUG))[0].rc == 0
    finally:
        made.close()


def test_a_version_that_nobody_has_looked_at_is_run_cold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request_: PlayRequest
) -> None:
    """A package metadata folder in front of the real one says another version of ansible-runner."""
    fake = tmp_path / "fake" / "ansible_runner-9.9.dist-info"
    fake.mkdir(parents=True)
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: ansible-runner\nVersion: 9.9\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(fake.parent), os.environ.get("PYTHONPATH", "")]))
    engine = WarmEngine(ANSIBLE_CFG, REPOSITORY, ())
    try:
        outcome, _ = run(engine, request_)
    finally:
        engine.close()
    assert (outcome.rc, outcome.engine) == (0, "cold")
    assert "ansible_runner 9.9 is not known to the warm engine" in outcome.why


def _filled(ballast: Path) -> int:
    """How much more went into the file until there was no room."""
    before = ballast.stat().st_size if ballast.exists() else 0
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast.stat().st_size - before


def _new(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def _asleep() -> list[int]:
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal() and _sleeps(entry.name)
    ]


def _sleeps(pid: int | str) -> bool:
    return SECONDS.encode() in _read(Path(f"/proc/{pid}/cmdline")).split(b"\0")
