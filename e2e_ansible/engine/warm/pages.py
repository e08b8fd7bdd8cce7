"""The memory that a playbook writes to, so that a child which waits can have pages of its own before it is needed.

A forked child shares each page with its parent until one of them writes to it; the kernel then stops the writer and
copies the page. A playbook writes to some 5,000 of them, which is a fifth of what a warm step costs. Which ones, is
learned once; Linux 5.14 and later copy a whole range when asked to (`MADV_POPULATE_WRITE`). An older kernel refuses,
and a child is then as right as before, only slower.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["Ranges", "make_private", "written"]

#: Address and length in bytes.
Ranges = tuple[tuple[int, int], ...]

_MADV_POPULATE_WRITE = 23
_EXCLUSIVE = 1 << 56  # of an entry of /proc/PID/pagemap: no other process has this page
_ENTRY_BYTES = 8
#: Pages so near to each other are copied with those between them: a call costs more than a page.
_GAP_BYTES = 4 * mmap.PAGESIZE


def written() -> Ranges:
    """What this process has written to since it was forked. Empty where the kernel does not tell."""
    return _joined(page for start, end in _writable() for page in _exclusive(start, end))


def make_private(ranges: Ranges) -> None:
    """Copy these pages now, where they are memory of this process. Nothing that it can see changes."""
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, length in ranges:
        madvise(start, length, _MADV_POPULATE_WRITE)  # a refusal costs time, and nothing else


def _writable() -> Iterator[tuple[int, int]]:
    """Start and end of each private mapping that may be written to, but the stack."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, *_ = line.split()
        if rights.startswith("rw") and rights.endswith("p") and not line.endswith("[stack]"):
            start, _, end = addresses.partition("-")
            yield int(start, 16), int(end, 16)


def _exclusive(start: int, end: int) -> Iterator[int]:
    """Addresses of the pages that only this process has."""
    with Path("/proc/self/pagemap").open("rb", buffering=0) as pagemap:
        pagemap.seek(start // mmap.PAGESIZE * _ENTRY_BYTES)
        data = pagemap.read((end - start) // mmap.PAGESIZE * _ENTRY_BYTES)
    for number, (entry,) in enumerate(struct.iter_unpack("=Q", data)):
        if entry & _EXCLUSIVE:
            yield start + number * mmap.PAGESIZE


def _joined(pages: Iterable[int]) -> Ranges:
    ranges: list[tuple[int, int]] = []
    for page in pages:
        if ranges and page - sum(ranges[-1]) <= _GAP_BYTES:
            ranges[-1] = (ranges[-1][0], page + mmap.PAGESIZE - ranges[-1][0])
        else:
            ranges.append((page, mmap.PAGESIZE))
    return tuple(ranges)
