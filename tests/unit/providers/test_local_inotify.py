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
        inotify.await_room(2, seconds=0, proc=tmp_path, booting=tmp_path / "booting")
    assert "inotify instances are in use, and 2 nodes need up to 16" in str(error.value)
    assert "sysctl" in error.value.hint


def test_with_room_it_goes_on(tmp_path: Path) -> None:
    inotify.await_room(1, seconds=0, proc=tmp_path, booting=tmp_path / "booting")


def test_what_was_granted_counts_until_the_nodes_have_taken_it(tmp_path: Path) -> None:
    booting, nodes = tmp_path / "booting", inotify.limit() // inotify.INSTANCES_PER_NODE
    inotify.await_room(nodes - 1, seconds=0, proc=tmp_path, booting=booting)
    with pytest.raises(ProviderError):
        inotify.await_room(2, seconds=0, proc=tmp_path, booting=booting)
    assert len(booting.read_text().splitlines()) == 1, "what was refused is not granted"
    at, number = booting.read_text().split()
    booting.write_text(f"{float(at) - 60} {number}\n")
    inotify.await_room(nodes, seconds=0, proc=tmp_path, booting=booting)


def test_a_list_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    booting = tmp_path / "booting"
    booting.write_text("12")
    inotify.await_room(1, seconds=0, proc=tmp_path, booting=booting)
    assert len(booting.read_text().splitlines()) == 1
