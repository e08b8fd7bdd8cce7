"""Room among the inotify instances."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from e2e_ansible.errors import ProviderError
from e2e_ansible.providers.local import inotify


def some(folder: Path, process: int, instances: int) -> None:
    """A process with so many instances and one other file."""
    descriptors = folder / str(process) / "fd"
    descriptors.mkdir(parents=True)
    for number in range(instances):
        (descriptors / str(number)).symlink_to("anon_inode:inotify")
    (descriptors / "null").symlink_to("/dev/null")


def test_instances_of_all_processes_are_counted(tmp_path: Path) -> None:
    some(tmp_path, 7, 3)
    some(tmp_path, 8, 2)
    (tmp_path / "9").mkdir()
    os.chown(tmp_path / "8", 12345, -1)
    assert inotify.taken(tmp_path) == 3, "what another user has does not count"


def test_without_room_it_says_how_much_there_is(tmp_path: Path) -> None:
    some(tmp_path, 7, inotify.limit())
    with pytest.raises(ProviderError) as error:
        inotify.await_room(2, seconds=0, proc=tmp_path)
    assert "inotify instances are in use, and 2 nodes need up to 16" in str(error.value)
    assert "sysctl" in error.value.hint


def test_with_room_it_goes_on(tmp_path: Path) -> None:
    inotify.await_room(1, seconds=0, proc=tmp_path)
