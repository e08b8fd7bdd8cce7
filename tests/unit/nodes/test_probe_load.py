"""The probe's figures of processor, memory, disk and a restore, from files as kernels write them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e_ansible.deadline import Deadline
from e2e_ansible.nodes import probe_load
from e2e_ansible.nodes.load import Load, load

TICKS = os.sysconf("SC_CLK_TCK")


def files(monkeypatch: pytest.MonkeyPatch, **texts: str) -> None:
    """Let the probe find these texts alone; `cpu.max` is named `cpu_max`, in the first control group."""
    known = {
        "stat": "/proc/stat",
        "meminfo": "/proc/meminfo",
        **{
            name: f"/sys/fs/cgroup/{name.replace('_', '.', 1)}"
            for name in (
                "cpu_stat",
                "cpu_max",
                "cgroup_events",
                "memory_max",
                "memory_current",
                "memory_stat",
            )
        },
    }
    there = {known[name]: text for name, text in texts.items()}
    monkeypatch.setattr(probe_load, "read", lambda path: there.get(path, ""))
    monkeypatch.setattr(probe_load.os.path, "exists", lambda path: path in there)


def test_this_machine() -> None:
    found = Load.model_validate(probe_load.load(time.monotonic() + 5, ""))
    assert found.cpu is not None
    assert found.cpu.source == "machine"
    assert 0 < found.cpu.busy_seconds < found.cpu.of_seconds
    assert found.memory_percent is not None
    assert 0 < found.memory_percent < 100
    assert found.disk_percent is not None
    assert found.error == ""


def test_a_machine_is_busy_when_it_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = [TICKS * each for each in (10, 1, 5, 80, 3, 0, 1, 0)]
    files(monkeypatch, stat=f"cpu  {' '.join(map(str, fields))} 7 7\ncpu0 1 2\n")
    found = probe_load._machine_time()
    assert (found["busy_seconds"], found["of_seconds"]) == (17, 100)


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", os.cpu_count()), ("50000 100000", 0.5), ("", None)]
)
def test_a_container_has_the_time_of_its_group(
    monkeypatch: pytest.MonkeyPatch, quota: str, cores: float | None
) -> None:
    files(
        monkeypatch,
        cgroup_events="populated 1\n",
        cpu_stat="usage_usec 2500000\nuser_usec 1\n",
        cpu_max=quota,
    )
    monkeypatch.setattr(probe_load.time, "monotonic", lambda: 100.0)
    found = probe_load._group_time()
    assert found == {
        "busy_seconds": 2.5,
        "of_seconds": 100.0 * (cores or os.cpu_count() or 1),
        "source": "cgroup",
    }


def test_the_group_of_the_whole_machine_is_not_that_of_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    files(monkeypatch, cpu_stat="usage_usec 2500000\n")
    assert probe_load._group_time() is None


def test_without_a_group_the_processes_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_load, "_group_time", lambda: None)
    begin = probe_load.load(time.monotonic() + 5, "lxc")["cpu"]
    assert begin["source"] == "processes"
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    end = probe_load.load(time.monotonic() + 5, "lxc")["cpu"]
    assert end["busy_seconds"] > begin["busy_seconds"], "what has ended and was waited for counts"


@pytest.mark.parametrize(
    ("limit", "percent", "of"),
    [("200\n", 40.0, "cgroup"), ("max\n", 75.0, "machine"), ("999999999\n", 75.0, "machine")],
)
def test_memory_is_that_of_the_limit_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, limit: str, percent: float, of: str
) -> None:
    files(
        monkeypatch,
        meminfo="MemTotal: 4000 kB\nMemFree: 1 kB\nMemAvailable: 1000 kB\n",
        memory_max=limit,
        memory_current="100\n",
        memory_stat="anon 5\ninactive_file 20\n",
    )
    assert probe_load._memory() == (percent, of)


def test_the_disk_is_that_of_the_data_or_of_where_it_would_be(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    used = found.f_blocks - found.f_bfree
    near = 100 * used / (used + found.f_bavail)
    assert probe_load._disk(str(tmp_path / "not" / "there")) == pytest.approx(near, abs=1)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/pgbackrest.conf", "[global]\n[main]\npg1-path=/data/main\n"),
        ("/etc/patroni/config.yml", "postgresql:\n  data_dir: '/data/main'\n"),
    ],
)
def test_the_folder_of_the_data_is_in_the_settings(
    monkeypatch: pytest.MonkeyPatch, path: str, text: str
) -> None:
    monkeypatch.setattr(probe_load, "read", lambda asked: text if asked == path else "")
    assert probe_load._data_folder() == "/data/main"


@pytest.mark.parametrize(
    ("command", "is_one"),
    [
        ("pgbackrest --stanza=main --delta restore ", True),
        ("/usr/bin/pgbackrest --exec-id=1 --process=2 restore:local ", True),
        ("sh -c /usr/bin/pgbackrest --stanza=main restore ", True),
        ("pgbackrest restore", True),
        ("pgbackrest --stanza=main --type=full backup ", False),
        ("pgbackrest --log-path=/restore archive-get ", False),
        ("vi pgbackrest.conf restore ", False),
        ("pgbackrest --remote-type=repo restore:remote ", False),
    ],
)
def test_what_a_restore_is(command: str, is_one: bool) -> None:
    assert bool(probe_load._RESTORE.search(command)) is is_one


@contextmanager
def restoring(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is called as a restore is, and writes a file for each line it is given."""
    program = (
        "import sys\n"
        "for number, line in enumerate(sys.stdin):\n"
        "    open(f'{sys.argv[-2]}/{number}', 'w').write('x' * 5000)\n"
    )
    words = [sys.executable, "-c", program, "pgbackrest", "--stanza=main", str(folder), "restore"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_restore_under_way_and_its_progress(tmp_path: Path) -> None:
    def found() -> Load:
        facts = probe_load._restore(mine(process.pid), str(tmp_path), time.monotonic() + 5)
        return Load(restore=facts)

    def mine(pid: int) -> list[tuple[int, list[str]]]:
        return [each for each in probe_load._processes() if each[0] == pid]

    with restoring(tmp_path) as process:
        assert process.stdin is not None
        assert Deadline(20).wait_for(lambda: found().restore)
        first = found().restore
        assert first is not None
        assert (first.folder_bytes, first.seconds < 60) == (0, True)
        process.stdin.write(b"go\n")
        process.stdin.flush()
        assert Deadline(20).wait_for(lambda: (now := found().restore) and now.folder_bytes == 5000)
        then = found().restore
        assert then is not None
        assert (then.written_bytes or 0) - (first.written_bytes or 0) == 5000
    assert found().restore is None


def test_without_time_a_folder_is_not_counted(tmp_path: Path) -> None:
    assert probe_load._size(str(tmp_path), time.monotonic() - 1) is None


def test_what_is_not_understood_is_said() -> None:
    assert load(None) is None
    assert load({"error": "x"}) == Load(error="x")
    broken = load({"cpu": "much"})
    assert broken is not None
    assert "not understood" in broken.error


def test_a_kernel_that_says_something_else_is_an_error_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    files(monkeypatch, stat="nothing")
    assert "error" in probe_load.load(time.monotonic() + 5, "")
