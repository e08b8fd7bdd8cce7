"""What a child wrote to is told, and pages that are made private keep what is in them."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e_ansible.engine.warm import pages
from e2e_ansible.engine.warm.pages import make_private, written

PAGES = 64


@pytest.fixture
def memory() -> mmap.mmap:
    made = mmap.mmap(-1, PAGES * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for number in range(PAGES):
        made[number * mmap.PAGESIZE] = number
    return made


def address(memory: mmap.mmap) -> int:
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def in_child(act: Callable[[], object], answer: Path) -> object:
    """What `act` gives in a forked child."""
    pid = os.fork()
    if pid == 0:
        answer.write_text(json.dumps(act()))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    return json.loads(answer.read_text())


def covers(ranges: object, page: int) -> bool:
    assert isinstance(ranges, list)
    return any(start <= page < start + length for start, length in ranges)


def test_only_what_the_child_wrote_to_is_told(memory: mmap.mmap, tmp_path: Path) -> None:
    first = address(memory)

    def act() -> object:
        memory[20 * mmap.PAGESIZE] = 1
        return written()

    ranges = in_child(act, tmp_path / "ranges")
    assert covers(ranges, first + 20 * mmap.PAGESIZE)
    assert not covers(ranges, first + 40 * mmap.PAGESIZE)


def test_private_pages_keep_what_is_in_them(memory: mmap.mmap, tmp_path: Path) -> None:
    first = address(memory)

    def act() -> object:
        make_private(((first, PAGES * mmap.PAGESIZE),))
        return [written(), [memory[number * mmap.PAGESIZE] for number in range(PAGES)]]

    found = in_child(act, tmp_path / "found")
    assert isinstance(found, list)
    assert covers(found[0], first + 40 * mmap.PAGESIZE)
    assert found[1] == list(range(PAGES))


def test_what_is_no_memory_of_ours_does_no_harm(memory: mmap.mmap) -> None:
    make_private(((mmap.PAGESIZE, mmap.PAGESIZE), (1, 1), (address(memory), mmap.PAGESIZE)))
    assert memory[mmap.PAGESIZE] == 1


def test_near_pages_are_one_range() -> None:
    size = mmap.PAGESIZE
    assert pages._joined([size, 2 * size, 4 * size, 40 * size]) == ((size, 4 * size), (40 * size, size))
