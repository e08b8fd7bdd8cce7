"""Excerpts: the tasks of Ansible's output that failed, with all that was said of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from e2e_ansible.report.words import clean

__all__ = ["excerpt"]

_HEADS = ("TASK [", "PLAY [", "PLAY RECAP", "RUNNING HANDLER [")
_BAD = re.compile(r"(fatal|failed): \[|\[ERROR\]|ERROR!")
_MOST_BLOCKS = 4
_BLOCK_LINES = 24
_LAST_LINES = 12
_LINE_LENGTH = 600


def excerpt(log: str) -> str:
    """The last failed tasks of a log; of one without any, its last lines. Long lines and tasks are cut."""
    blocks = list(_blocks(clean(log).split("\n")))
    bad = [block for block in blocks if any(_BAD.match(line) for line in block)]
    if bad:
        return "\n\n".join("\n".join(_short(block)) for block in bad[-_MOST_BLOCKS:])
    said = [line for block in blocks if not block[0].startswith("PLAY RECAP") for line in block]
    return "\n".join(_cut(line) for line in said[-_LAST_LINES:])


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """The lines of each task, with its heading; without empty lines at the ends."""
    block: list[str] = []
    for line in [*lines, _HEADS[0]]:
        if line.startswith(_HEADS):
            while block and not block[-1].strip():
                block.pop()
            if any(text.strip() for text in block):
                yield block
            block = []
        block.append(line.rstrip(" *") if line.startswith(_HEADS) else line)


def _short(block: Sequence[str]) -> list[str]:
    """The heading and the end of a block: what failed is said last."""
    kept = list(block)
    if len(kept) > _BLOCK_LINES:
        left = len(kept) - _BLOCK_LINES
        kept = [kept[0], f"… ({left} lines left out)", *kept[1 + left :]]
    return [_cut(line) for line in kept]


def _cut(line: str) -> str:
    left = len(line) - _LINE_LENGTH
    return line if left <= 0 else f"{line[:_LINE_LENGTH]} … ({left} characters more in the log)"
