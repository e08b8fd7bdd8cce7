"""Quota that is taken before anything is made, so that two runs on one controller do not both count on the last one."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from e2e_ansible.deadline import Deadline
from e2e_ansible.providers.cloud.machine import Cloud, Place
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.record import CloudStore
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, patiently
from e2e_ansible.providers.system import write_durably

__all__ = ["Reservations"]

_NUMBERS = itertools.count()


class Reservations:
    """Machines that processes of this controller are about to make and that the provider does not count yet."""

    def __init__(self, cloud: Cloud, store: CloudStore, settings: Mapping[str, object], pace: Pace) -> None:
        self._cloud = cloud
        self._store = store
        self._settings = settings
        self._pace = pace
        self._file = store.folder / "reserved.json"
        self._mine = f"{os.getpid()} {_started(os.getpid())} {next(_NUMBERS)}"

    @contextmanager
    def released(self) -> Iterator[None]:
        """Whatever is taken within and not given back is given back at the end."""
        try:
            yield
        finally:
            self.give_back()

    def give_back(self) -> None:
        """The machines are ordered, so the provider counts them, or they were given up."""
        with self._store.lock():
            self._write({key: value for key, value in self._read().items() if key != self._mine})

    def take(self, place: Place, number: int) -> None:
        """Reserve machines of a place.

        Raises:
            CloudError: the account may not have so many.
        """
        with self._store.lock():
            left = patiently(lambda: self._cloud.remaining(place, self._settings), Deadline(self._pace.call))
            others = {key: value for key, value in self._read().items() if key != self._mine}
            if left is not None and number > left - sum(others.values()):
                also = f", {sum(others.values())} of them reserved by other runs" if others else ""
                wanted = f"{number} machines {_named(place)}are wanted"
                raise CloudError(
                    f"{self._cloud.name}: {wanted}, and the quota leaves {max(left, 0)}{also}",
                    Trouble.QUOTA,
                    hint="destroy what is not needed (e2e-ansible reap), or ask the provider for a higher quota",
                )
            self._write({**others, self._mine: number})

    def _read(self) -> dict[str, int]:
        """Reservations of living processes: one that was killed holds nothing."""
        if not self._file.exists():
            return {}
        return {key: number for key, number in json.loads(self._file.read_text()).items() if _lives(key)}

    def _write(self, reserved: Mapping[str, int]) -> None:
        write_durably(self._file, json.dumps(reserved))


def _lives(key: str) -> bool:
    pid, started, _ = key.split(" ")
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """What tells a process from a later one with its id, in ticks since boot; '' when it has ended."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else fields[18]


def _named(place: Place) -> str:
    words = [place.size and f"of size {place.size}", place.zone and f"in {place.zone}"]
    return "".join(f"{word} " for word in words if word)
