"""What the probe sees of how busy the machine is: processor, memory, the disk of the data, a restore under way.

In a container the kernel's own figures are those of the machine around it. The processor time of a container is that
of its control group where it sees it, else the sum over its processes; each answer says which.
"""

from __future__ import annotations

import glob
import os
import re
import time

from e2e_ansible.nodes.probe_machine import read

TYPE_CHECKING = False  # typing would cost a tenth of the start
if TYPE_CHECKING:
    from typing import Any

__all__ = ["load"]

_CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
_FOLDER_SETTINGS = (
    ("/etc/pgbackrest.conf", re.compile(r"^pg1-path\s*=\s*(\S+)", re.M)),
    ("/etc/patroni/config.yml", re.compile(r"^\s*data_dir:\s*[\"']?([^\"'\s]+)", re.M)),
)
_DATA_FOLDERS = (
    "/var/lib/postgresql/[0-9]*/*",
    "/var/lib/pgsql/[0-9]*/data",
    "/var/lib/postgresql",
    "/var/lib/pgsql",
    "/",
)
_RESTORE = re.compile(r"(?:^|[\s/])pgbackrest\s(?:.*\s)?restore(?::local)?(?:\s|$)")


def _ticks() -> int:
    return os.sysconf("SC_CLK_TCK")


def _machine_time() -> dict[str, Any]:
    """Processor time of all that runs on this kernel, out of all there was."""
    fields = [int(word) for word in read("/proc/stat").partition("\n")[0].split()[1:9]]
    idle = fields[3] + fields[4]
    whole = sum(fields) / _ticks()
    return {"busy_seconds": whole - idle / _ticks(), "of_seconds": whole, "source": "machine"}


def _cores(folder: str) -> float:
    """How many processors the group may use."""
    words = read(folder + "/cpu.max").split()
    all_of_them = float(os.cpu_count() or 1)
    return min(all_of_them, int(words[0]) / int(words[1])) if words and words[0] != "max" else all_of_them


def _group_time() -> dict[str, Any] | None:
    """Processor time of the control group that this container is in; None where it is not seen."""
    for folder in _CGROUPS:
        # The group of the whole machine has no events: then what is seen is not this container alone.
        if not os.path.exists(folder + "/cgroup.events"):  # noqa: PTH110
            continue
        for line in read(folder + "/cpu.stat").splitlines():
            if line.startswith("usage_usec "):
                busy = int(line.split()[1]) / 1e6
                return {
                    "busy_seconds": busy,
                    "of_seconds": time.monotonic() * _cores(folder),
                    "source": "cgroup",
                }
    return None


def _processes() -> list[tuple[int, list[str]]]:
    """Every process with the fields of its stat behind the name: state first."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            # The name of a process may hold blanks and brackets.
            fields = read(f"/proc/{name}/stat").rpartition(")")[2].split()
            if len(fields) > 19:
                found.append((int(name), fields))
    return found


def _summed_time(processes: list[tuple[int, list[str]]]) -> dict[str, Any]:
    """Of all processes and of what they have waited for, which is nearly all that has ended."""
    busy = sum(int(word) for _, fields in processes for word in fields[11:15]) / _ticks()
    of = time.monotonic() * (os.cpu_count() or 1)
    return {"busy_seconds": busy, "of_seconds": of, "source": "processes"}


def _memory() -> tuple[float | None, str]:
    """Used memory in percent, and of what: of the limit of the control group, else of the machine."""
    sizes = dict(line.partition(":")[::2] for line in read("/proc/meminfo").splitlines())
    total, free = (int(sizes.get(name, "0 kB").split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    for folder in _CGROUPS:
        limit, now = (read(f"{folder}/memory.{name}").strip() for name in ("max", "current"))
        if limit.isdigit() and now.isdigit() and 0 < int(limit) < total:
            stat = dict(line.split() for line in read(folder + "/memory.stat").splitlines())
            used = int(now) - int(stat.get("inactive_file", 0))
            return round(100 * used / int(limit), 1), "cgroup"
    return (round(100 * (total - free) / total, 1), "machine") if total else (None, "")


def _data_folder() -> str:
    """Where the data of the server is, or would be."""
    for path, pattern in _FOLDER_SETTINGS:
        found = pattern.search(read(path))
        if found:
            return found.group(1)
    return next((hit for each in _DATA_FOLDERS for hit in sorted(glob.glob(each))), "/")  # noqa: PTH207


def _disk(folder: str) -> float:
    """How full the file system of a folder is, in percent, as df says; of the nearest one that is there."""
    while not os.path.exists(folder):  # noqa: PTH110
        folder = os.path.dirname(folder) or "/"  # noqa: PTH120
    found = os.statvfs(folder)
    used = found.f_blocks - found.f_bfree
    return round(100 * used / max(1, used + found.f_bavail), 1)


def _restore(processes: list[tuple[int, list[str]]], folder: str, ends: float) -> dict[str, Any] | None:
    """A restore by pgBackRest: how long it runs, what it has written, how much lies in the folder of the data."""
    mine = [(pid, fields) for pid, fields in processes if _RESTORE.search(_command(pid))]
    if not mine:
        return None
    since = min(int(fields[19]) for _, fields in mine) / _ticks()
    written = [each for pid, _ in mine if (each := _written(pid)) is not None]
    return {
        "seconds": max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - since),
        "written_bytes": sum(written) if written else None,
        "folder_bytes": _size(folder, ends),
    }


def _command(pid: int) -> str:
    return read(f"/proc/{pid}/cmdline").replace("\0", " ")


def _written(pid: int) -> int | None:
    """Bytes that a process and what it waited for handed to the kernel; None when that may not be read."""
    for line in read(f"/proc/{pid}/io").splitlines():
        if line.startswith("wchar: "):
            return int(line.split()[1])
    return None


def _size(folder: str, ends: float) -> int | None:
    """Bytes in the files below a folder; None when there is no time to count them."""
    total, places = 0, [folder]
    while places:
        if time.monotonic() > ends:
            return None
        try:
            with os.scandir(places.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        places.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def load(ends: float, container: str) -> dict[str, Any]:
    """The fields of `load.Load`; `ends` is a monotonic time. Never raises: `error` says what could not be read."""
    try:
        folder, processes = _data_folder(), _processes()
        spent = (_group_time() or _summed_time(processes)) if container else _machine_time()
        memory, of = _memory()
        return {
            "cpu": spent,
            "memory_percent": memory,
            "memory_of": of,
            "disk_percent": _disk(folder),
            "disk_folder": folder,
            "restore": _restore(processes, folder, ends),
        }
    except (OSError, LookupError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
