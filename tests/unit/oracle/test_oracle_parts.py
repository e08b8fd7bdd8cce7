"""The parts of a client that need no server: schedule, measures, archive, histories on disk."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import UsageError
from e2e_ansible.oracle.archive import archive
from e2e_ansible.oracle.config import ClientConfig, save
from e2e_ansible.oracle.histories import Histories, history_path, key
from e2e_ansible.oracle.history import Event, Record, parse
from e2e_ansible.oracle.history_file import HistoryFile
from e2e_ansible.oracle.measure import Sample, resolution
from e2e_ansible.oracle.schedule import LATEST_SECONDS, Schedule, Turn

# ---- schedule


def take(schedule: Schedule) -> Turn:
    turn = schedule.take()
    assert turn is not None
    schedule.done()
    return turn


def test_turns_come_at_their_rate_and_tell_how_late_they_are() -> None:
    schedule = Schedule(100)
    begin = time.monotonic()
    turns = [take(schedule) for _ in range(11)]
    assert time.monotonic() - begin >= 0.099
    assert all(turn.late >= 0 for turn in turns)
    assert sum(turn.skipped for turn in turns) == 0


def test_what_would_be_too_late_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000_000]
    monkeypatch.setattr(time, "monotonic_ns", lambda: now[0])
    schedule = Schedule(10)
    assert take(schedule) == Turn(late=0, skipped=0)
    now[0] += 3_000_000_000
    turn = take(schedule)
    assert turn.skipped == 19
    assert turn.late == LATEST_SECONDS * 1_000_000_000
    assert take(schedule) == Turn(late=900_000_000, skipped=0)


def test_a_pause_waits_for_who_is_busy_and_asks_for_nothing() -> None:
    schedule = Schedule(1000)
    assert schedule.take() is not None
    assert not schedule.pause(0.05)
    schedule.done()
    assert schedule.pause(5)
    got: list[Turn | None] = []
    waiting = threading.Thread(target=lambda: got.append(schedule.take()))
    waiting.start()
    assert got == []
    schedule.resume()
    waiting.join(10)
    assert got[0] is not None
    assert got[0].skipped == 0
    schedule.stop()
    assert schedule.take() is None


# ---- measures


def test_a_sample_tells_shares_and_the_highest() -> None:
    sample = Sample()
    assert sample.share(0.5) == 0
    for number in range(30_000):
        sample.add(number)
    assert sample.highest == 29_999
    assert 13_500 < sample.share(0.5) < 16_500
    assert 0 < resolution() < 10_000_000


# ---- files


def line(event: str, **facts: object) -> bytes:
    return (
        json.dumps({"event": event, "wall": 10, "mono": 1, **facts}, separators=(",", ":")).encode() + b"\n"
    )


def test_the_controllers_time_reaches_the_beginning() -> None:
    data = line("start", pid=1) + line("clock", wall=1000, controller_wall=1250, uncertainty=7)
    start, _ = parse(data)
    assert (start.controller_wall, start.uncertainty) == (260, 7)
    (told,) = parse(line("start", controller_wall=12))
    assert told.controller_wall == 12


def test_a_million_lines_are_read_in_seconds() -> None:
    part = line("invoked", id=5, worker=1, op="append", value=5) + line(
        "ok", id=5, worker=1, op="append", node="a"
    )
    begin = time.process_time()
    assert sum(1 for _ in parse(part * 25_000)) == 50_000
    assert time.process_time() - begin < 1.5  # of a million: 30 s on the slowest machine, 3 s on a usual one


def test_numbers_are_not_used_again_after_a_boot(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(line("start", boot="another") + line("invoked", id=7))
    assert HistoryFile(path).last == 1_000_007


def test_histories_are_cut_where_a_look_was(tmp_path: Path) -> None:
    named = history_path(tmp_path, "load")
    named.parent.mkdir()
    first, second = line("invoked", id=1), line("ok", id=1)
    named.write_bytes(first)
    histories = Histories(tmp_path)
    sizes = {"load": len(first + second) + 3}
    assert [record.id for record in histories.at(sizes)["load"]] == [1]
    named.write_bytes(first + second + b'{"ev')
    assert [record.event for record in histories.at(sizes)["load"]] == [Event.INVOKED, Event.OK]
    assert [record.event for record in histories.at({"load": len(first)})["load"]] == [Event.INVOKED]
    assert list(histories.at(sizes)) == ["load"]
    with pytest.raises(KeyError):
        histories.at(sizes)["other"]


def test_what_is_read_in_parts_is_what_is_read_at_once(tmp_path: Path) -> None:
    path = history_path(tmp_path, "load")
    path.parent.mkdir()
    lines = [
        line("start", pid=1),
        line("invoked", id=1),
        line("clock", wall=20, controller_wall=30, uncertainty=2),
    ]
    path.write_bytes(b"".join(lines))
    histories = Histories(tmp_path)
    for size in range(path.stat().st_size + 1):
        list(histories.at({"load": size})["load"])
    assert list(histories.whole()["load"]) == list(Histories(tmp_path).whole()["load"])
    assert histories.whole()["load"][0].controller_wall == 20


def test_a_later_cluster_has_histories_of_its_own(tmp_path: Path) -> None:
    for cluster in (1, 2):
        for client in ("integrity", "load-2"):
            path = history_path(tmp_path, key(client, cluster))
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(line("start", pid=cluster))
    histories = Histories(tmp_path)
    assert sorted(histories.whole()) == ["integrity", "integrity@2", "load-2", "load-2@2"]
    (record,) = histories.at({"integrity": 10**6, "integrity@2": 10**6})["integrity"]
    assert record.pid == 2
    assert Histories().whole() == {}


def test_a_record_is_its_line() -> None:
    record = Record(Event.OK, 1, 2, id=3, op="read", value=[0, None], timeline=4)
    assert list(parse(record.line())) == [record]
    assert b"error" not in record.line()


# ---- archive


def test_the_archive_is_the_same_each_time_and_runs_alone(tmp_path: Path) -> None:
    made = archive()
    assert made == archive()
    assert "e2e_ansible/run/__init__.py" not in zipfile.ZipFile(BytesIO(made)).namelist()
    file = tmp_path / "client.pyz"
    file.write_bytes(made)
    program = (
        "import runpy, sys; sys.argv = ['client.pyz', '--relay', 'nowhere'];"
        "sys.modules['pydantic'] = None; runpy.run_path('client.pyz', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 3, done.stderr
    assert "no client listens at nowhere: its socket is not there" in done.stderr


# ---- configuration


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"workload": "bnak"}, "workload: 'bnak' is none of append, bank, register, list-append"),
        ({"rate": 0}, "rate: 0 is not between 0.01 and 5000"),
        ({"concurrency": 65}, "concurrency: 65 is not between 1 and 64"),
        ({"synchronous_commit": "off; drop"}, "synchronous_commit: 'off; drop' is none of on, off"),
        ({"name": "a b"}, "name: 'a b' has other characters"),
        ({"hosts": ()}, "names no host"),
    ],
)
def test_a_value_out_of_its_bounds_is_told(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ClientConfig(**{"hosts": ("a",), "history": Path("h"), **values})  # type: ignore[arg-type]  # on purpose


def test_every_client_has_a_table_of_its_own() -> None:
    names = ["load", "load.1", "load_1", "load-1", "Load"]
    tables = [ClientConfig(hosts=("a",), history=Path("h"), name=name).table for name in names]
    assert len(set(tables)) == len(names)
    assert ClientConfig(hosts=("a",), history=Path("h")).table == "e2e.integrity"


# ---- a client with a socket


def ask(socket: Path, *orders: str) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "e2e_ansible.oracle.client", "--relay", str(socket)]
    said = "".join(f"{order}\n" for order in orders)
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(answer) for answer in done.stdout.splitlines()]


def test_a_client_with_a_socket_takes_orders_from_who_comes(tmp_path: Path) -> None:
    config = ClientConfig(hosts=("127.0.0.99",), history=tmp_path / "history", name="load", concurrency=3)
    save(config, tmp_path / "config")
    command = [sys.executable, "-m", "e2e_ansible.oracle.client", "--config", str(tmp_path / "config")]
    with subprocess.Popen(
        [*command, "--socket", str(tmp_path / "socket")], stdin=subprocess.DEVNULL
    ) as client:
        assert Deadline(30).wait_for((tmp_path / "socket").exists)
        assert Deadline(30).wait_for(lambda: ask(tmp_path / "socket", "status")[0]["fail"])
        clock, pause, status, odd = ask(
            tmp_path / "socket", "clock -5000000000 40", "pause", "status", "dance"
        )
        assert [clock["reply"], pause["paused"], status["last"], odd["reply"]] == [
            "clock",
            True,
            pause["last"],
            "error",
        ]
        assert (tmp_path / "socket").stat().st_mode & 0o077 == 0
        (stop,) = ask(tmp_path / "socket", "stop")
        assert stop["reply"] == "stop"
        assert client.wait(30) == 0
    records = list(parse(config.history.read_bytes()))
    told = next(record for record in records if record.event is Event.CLOCK)
    assert told.controller_wall is not None
    assert abs(told.controller_wall - told.wall + 5_000_000_000) < 1_000_000_000
    assert (told.uncertainty, records[0].uncertainty, records[-1].event) == (40, 40, Event.STOP)
    assert not (tmp_path / "socket").exists()
