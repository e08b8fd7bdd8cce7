"""The writer against a real server: what it calls acknowledged is there, whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from oracle_postgres import PASSWORD, Server

from e2e_ansible.checks import Situation, evaluate
from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import HarnessError
from e2e_ansible.nodes.observation import NodeObservation, Observation, Postgres, PowerState
from e2e_ansible.oracle.config import ClientConfig, save
from e2e_ansible.oracle.history import Event, Record, acknowledged, marks, parse, unknown_ids
from e2e_ansible.oracle.process import ClientProcess
from e2e_ansible.oracle.ranges import count, difference, to_ranges

_BACKEND = "(select pid from pg_stat_activity where application_name = 'e2e-integrity')"


def history(config: ClientConfig) -> list[Record]:
    return list(parse(config.history.read_bytes()))


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    assert Deadline(seconds).wait_for(condition, 0.02)


def wait_for_rows(writer: ClientProcess, number: int) -> None:
    wait_for(lambda: writer.status().ok >= number)


def gone(pid: int) -> bool:
    """Ended; an orphan that nobody has waited for yet has ended too."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def judged(server: Server, config: ClientConfig, upto: int | None = None) -> bool | None:
    """What data_integrity says of the server's rows and the writer's history."""
    postgres = Postgres(
        installed=True, accepting=True, in_recovery=False, writable=True, integrity=server.rows()
    )
    node = NodeObservation(node="n11", power=PowerState.ON, reachable=True, postgres=postgres)
    rows = acknowledged(history(config), upto)
    situation = Situation(
        Observation(at=0, nodes=(node,)), {"n11": ("database",)}, "replication", "n11", rows
    )
    return evaluate("data_integrity", situation).passed


def test_acknowledged_rows_are_there_and_pause_is_quiet(server: Server, config: ClientConfig) -> None:
    with ClientProcess.start(config) as writer:
        wait_for_rows(writer, 20)
        mark = writer.pause()
        assert mark.paused
        assert (mark.mark, marks(history(config))) == (1, {1: mark.last})
        before = server.rows()
        assert before == acknowledged(history(config)) == ((1, mark.last),)
        assert writer.status().last == mark.last
        assert writer.pause().mark == 1
        assert server.rows() == before
        assert not writer.resume().paused
        wait_for_rows(writer, mark.ok + 20)
        second = writer.pause()
        last = writer.stop()
    assert last is not None
    assert (second.mark, last.last, last.fail, last.unknown) == (2, second.last, 0, 0)
    assert acknowledged(history(config), upto=mark.last) == ((1, mark.last),)
    assert [record.event for record in history(config)][-1] is Event.STOP
    assert {record.node for record in history(config) if record.event is Event.OK} == {"127.0.0.1"}
    assert judged(server, config) is True


def test_every_attempt_is_noted_before_and_after(server: Server, config: ClientConfig) -> None:
    with ClientProcess.start(config) as writer:
        wait_for_rows(writer, 5)
        writer.stop()
    notes = [record for record in history(config) if record.id is not None]
    assert [note.event for note in notes] == [Event.INVOKED, Event.OK] * (len(notes) // 2)
    assert [note.id for note in notes[::2]] == [note.id for note in notes[1::2]]
    assert all(one.mono <= two.mono for one, two in pairwise(notes))


def test_one_deleted_row_turns_the_check_red(server: Server, config: ClientConfig) -> None:
    with ClientProcess.start(config) as writer:
        wait_for_rows(writer, 20)
    assert judged(server, config) is True
    server.query("delete from e2e.integrity where id = 7")
    assert judged(server, config) is False


def test_a_server_killed_while_writing_loses_nothing_acknowledged(
    server: Server, config: ClientConfig
) -> None:
    with ClientProcess.start(config) as writer:
        for crashes in range(1, 4):
            wait_for_rows(writer, 30 * crashes)
            failures = writer.status().fail
            server.crash()
            wait_for(lambda: writer.status().fail > failures)  # noqa: B023
            server.start()
            rows = writer.status().ok
            wait_for_rows(writer, rows + 10)
    records = history(config)
    acked, present = acknowledged(records), server.rows()
    assert count(acked) > 100
    assert difference(acked, present) == ()
    undecided = to_ranges(unknown_ids(records))
    assert difference(difference(present, acked), undecided) == ()
    assert judged(server, config) is True


def test_a_killed_writer_loses_nothing_and_never_reuses_a_number(
    server: Server, config: ClientConfig
) -> None:
    for _ in range(3):
        writer = ClientProcess.start(config)
        wait_for_rows(writer, 15)
        os.kill(writer.pid, signal.SIGKILL)
        with pytest.raises(HarnessError, match="ended with code -9"):
            for _ in range(100):
                writer.status()
        assert not writer.running
        assert writer.stop() is None
        with config.history.open("ab") as file:
            file.write(b'{"event":"inv')
    records = history(config)
    tried = [record.id for record in records if record.event is Event.INVOKED]
    assert tried == list(range(1, len(tried) + 1))
    assert difference(acknowledged(records), server.rows()) == ()
    assert len(unknown_ids(records)) <= 3


def test_marks_go_on_after_a_restart(server: Server, config: ClientConfig) -> None:
    for number in (1, 2):
        with ClientProcess.start(config) as writer:
            wait_for_rows(writer, 3)
            assert writer.pause().mark == number


def test_a_frozen_server_costs_one_unknown_row_and_no_hang(server: Server, config: ClientConfig) -> None:
    with ClientProcess.start(config) as writer:
        wait_for_rows(writer, 10)
        server.signal_all(signal.SIGSTOP)
        try:
            wait_for(lambda: writer.status(15).unknown > 0)
        finally:
            server.signal_all(signal.SIGCONT)
        ok = writer.status(15).ok
        wait_for(lambda: writer.status(15).ok > ok + 5)
    sent = next(record for record in history(config) if record.event is Event.UNKNOWN)
    assert "no answer" in sent.error
    assert judged(server, config) is True


def test_a_read_only_server_is_no_place_to_write(server: Server, config: ClientConfig) -> None:
    server.query("alter system set default_transaction_read_only = on")
    server.query("select pg_reload_conf()")
    with ClientProcess.start(config) as writer:
        wait_for(lambda: writer.status().fail >= 2)
        assert writer.status().ok == 0
        server.query("alter system reset all")
        server.query("select pg_reload_conf()")
        wait_for_rows(writer, 5)


def test_the_second_host_is_tried(server: Server, config: ClientConfig) -> None:
    both = config.change(hosts=("127.0.0.99", "127.0.0.1"))
    with ClientProcess.start(both) as writer:
        wait_for_rows(writer, 5)


def test_a_refused_row_is_a_failure_and_not_lost(server: Server, config: ClientConfig) -> None:
    with ClientProcess.start(config) as writer:
        wait_for_rows(writer, 3)
        server.query("alter table e2e.integrity add constraint none_higher check (id < 0) not valid")
        wait_for(lambda: writer.status().fail >= 2)
        server.query("alter table e2e.integrity drop constraint none_higher")
    refused = next(record for record in history(config) if record.event is Event.FAIL)
    assert refused.error.startswith("23514 ")
    assert refused.id not in unknown_ids(history(config))


def test_a_commit_that_was_not_replicated_is_unknown(server: Server, config: ClientConfig) -> None:
    patient = config.change(statement_timeout_seconds=20)
    waiting = "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'"
    with ClientProcess.start(patient) as writer:
        wait_for_rows(writer, 3)
        server.query("alter system set synchronous_standby_names = 'nobody'")
        server.query("select pg_reload_conf()")
        wait_for(lambda: bool(server.query(waiting)))
        server.query("alter system reset synchronous_standby_names")
        server.query("select pg_reload_conf()")
        wait_for(lambda: bool(server.query(waiting)) or writer.status().unknown > 0)
    sent = next(record for record in history(config) if record.event is Event.UNKNOWN)
    assert "committed with a warning: canceling wait for synchronous replication" in sent.error


def test_the_password_is_nowhere_but_in_its_file(server: Server, config: ClientConfig) -> None:
    with ClientProcess.start(config) as writer:
        wait_for_rows(writer, 3)
        for name in ("cmdline", "environ"):
            assert PASSWORD.encode() not in Path(f"/proc/{writer.pid}/{name}").read_bytes()
        assert not [
            name
            for name in Path(f"/proc/{writer.pid}/environ").read_bytes().split(b"\0")
            if name[:2] == b"PG"
        ]
        server.query("alter role postgres password 'another'")
        server.query(f"select pg_terminate_backend({_BACKEND})", password="another")
        wait_for(lambda: writer.status().fail > 0)
    assert "password authentication failed" in config.history.read_text()
    for path in config.history.parent.iterdir():
        if path != config.password_file:
            assert "s3cr3t" not in path.read_text(), path
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_second_writer_on_one_history_is_refused(server: Server, config: ClientConfig) -> None:
    with ClientProcess.start(config) as writer:
        wait_for_rows(writer, 3)
        with pytest.raises(HarnessError, match="another client"):
            ClientProcess.start(config)
        assert writer.running


def test_sigterm_ends_it_in_order(server: Server, config: ClientConfig) -> None:
    writer = ClientProcess.start(config)
    wait_for_rows(writer, 3)
    os.kill(writer.pid, signal.SIGTERM)
    wait_for(lambda: not writer.running)
    writer.stop()
    records = history(config)
    assert records[-1].event is Event.STOP
    assert unknown_ids(records) == ()


def test_sigterm_ends_a_paused_writer(server: Server, config: ClientConfig) -> None:
    writer = ClientProcess.start(config)
    writer.pause()
    os.kill(writer.pid, signal.SIGTERM)
    wait_for(lambda: not writer.running, 5)
    writer.stop()


def test_a_writer_that_hangs_is_ended_in_time(server: Server, config: ClientConfig) -> None:
    writer = ClientProcess.start(config)
    os.kill(writer.pid, signal.SIGSTOP)
    with pytest.raises(HarnessError, match=r"did not answer to status in 0\.2 s"):
        writer.status(0.2)
    assert writer.stop(0.2) is None
    assert gone(writer.pid)
    with pytest.raises(HarnessError, match="was stopped"):
        writer.status()


PARENT = """
import sys, time
from pathlib import Path
from e2e_ansible.oracle.config import load
from e2e_ansible.oracle.process import ClientProcess
writer = ClientProcess.start(load(Path(sys.argv[1])))
print(writer.pid, flush=True)
time.sleep(600)
"""
ORDERS_KEPT_OPEN = """
import os, subprocess, sys, time
command = [sys.executable, "-m", "e2e_ansible.oracle.client", "--config", sys.argv[1]]
writer = subprocess.Popen([*command, "--parent", str(os.getpid())], stdin=0, stdout=subprocess.PIPE)
writer.stdout.readline()
print(writer.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("program", [PARENT, ORDERS_KEPT_OPEN], ids=["orders-end", "only-the-kernel-tells"])
def test_it_dies_with_its_parent(server: Server, config: ClientConfig, program: str) -> None:
    file = config.history.with_name("given.json")
    save(config, file)
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    wait_for(lambda: count(acknowledged(history(config))) > 5)
    assert not gone(pid)
    parent.kill()
    parent.wait(10)
    wait_for(lambda: gone(pid), 10)
    assert history(config)[-1].event is Event.STOP
    assert parent.stdin is not None
    parent.stdin.close()
    parent.stdout.close()


def test_a_parent_that_died_before_is_noticed(server: Server, config: ClientConfig) -> None:
    file = config.history.with_name("given.json")
    save(config, file)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    command = [
        sys.executable,
        "-m",
        "e2e_ansible.oracle.client",
        "--config",
        str(file),
        "--parent",
        str(dead.pid),
    ]
    done = subprocess.run(command, stdin=subprocess.PIPE, capture_output=False, timeout=20, check=True)
    assert done.returncode == 0
    assert [record.event for record in history(config)] == [Event.START, Event.STOP]


def test_it_outlives_the_thread_that_began_it(server: Server, config: ClientConfig) -> None:
    began: list[ClientProcess] = []
    thread = threading.Thread(target=lambda: began.append(ClientProcess.start(config)))
    thread.start()
    thread.join()
    with began[0] as writer:
        wait_for_rows(writer, 20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"password_file": Path("/nonexistent/password")}, "cannot be read"),
        ({"history": None}, "history"),
    ],
)
def test_a_bad_configuration_is_told(config: ClientConfig, change: dict[str, object], message: str) -> None:
    bad = config.change(**{**change, "history": config.history})
    if "history" in change:
        config.history.write_bytes(b'{"event":"invoked","id":"x"}\n')
    with pytest.raises(HarnessError, match=message):
        ClientProcess.start(bad)


@pytest.mark.parametrize("load", ["bank", "list-append"])
def test_many_workers_through_a_crash_keep_the_law_of_their_load(
    server: Server, config: ClientConfig, load: str
) -> None:
    many = config.change(name="many", workload=load, concurrency=8, reads=0.4, rate=300)
    with ClientProcess.start(many) as client:
        wait_for_rows(client, 40)
        server.crash()
        wait_for(lambda: client.status(20).fail > 5)
        server.start()
        ok = client.status(20).ok
        wait_for(lambda: client.status(20).ok > ok + 40)
    records = history(many)
    invoked = [record.id for record in records if record.event is Event.INVOKED]
    ended = [record.id for record in records if record.event in (Event.OK, Event.FAIL, Event.UNKNOWN)]
    assert invoked == list(range(1, len(invoked) + 1))
    assert sorted(filter(None, ended)) == invoked
    assert {record.worker for record in records if record.id} == set(range(8))
    assert records[-1].overhead is not None
    assert records[-1].overhead["record_ns_median"] > 0
    assert (records[0].resolution or 0) > 0
    done = [record for record in records if record.event is Event.OK]
    assert all(record.timeline == 1 and record.node == "127.0.0.1" for record in done)
    if load == "bank":
        assert {sum(record.value) for record in done if record.op == "read"} == {800}
        assert server.query(f"select sum(balance) from {many.table}") == [(800,)]
        return
    kept = {value for (text,) in server.query(f"select v from {many.table}") for value in text.split(",")}
    appended = {str(act[2]) for record in done for act in record.value if act[0] == "append"}
    assert appended
    assert appended <= kept


def test_a_full_disk_ends_the_client_and_says_so(server: Server, config: ClientConfig) -> None:
    full = config.change(history=Path("/dev/full"))
    file = config.history.with_name("given.json")
    save(full, file)
    command = [sys.executable, "-m", "e2e_ansible.oracle.client", "--config", str(file)]
    done = subprocess.run(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, check=False)
    assert done.returncode == HarnessError.exit_code
    assert b"No space left on device" in done.stderr
