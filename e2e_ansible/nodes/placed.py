"""Runs a program that lies on the node; sent as `python3 -c SOURCE NAME BYTES ARGUMENT...`.

With BYTES above 0 the program comes by standard input, and is laid down compiled for the next time; what was cut on
its way is not taken for one. With 0 it must lie there already. Else this ends with status 3 and nothing was run. It
lies in memory that is gone with the next boot, in a folder that nobody but its user may write to; a node where that
cannot be is sent the program each time.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys

TYPE_CHECKING = False  # the node need not import this
if TYPE_CHECKING:
    from types import CodeType

__all__ = ["MISSING", "main"]

MISSING = 3


def _is_ours(folder: str) -> bool:
    """Whether it is a real folder that no other user can put anything into."""
    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _folder() -> str:
    """Where programs of this user lie; it need not be there."""
    base = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/run")
    return base + "/e2e-ansible"


def _load(folder: str, path: str) -> CodeType | None:
    """The compiled program, None when there is none that may be trusted."""
    try:
        if not _is_ours(folder):
            return None
        with open(path, "rb") as file:  # noqa: PTH123  # pathlib costs a quarter of the start
            found: CodeType = marshal.load(file)
            return found if isinstance(found, type(_load.__code__)) else None
    except (OSError, ValueError, EOFError, TypeError):
        return None


def _keep(folder: str, path: str, program: CodeType) -> None:
    """Lay it down as a whole or not at all. A node that has no room for it is as good as one that has."""
    draft = f"{path}.{os.getpid()}"
    try:
        if not os.path.isdir(folder):  # noqa: PTH112
            os.mkdir(folder, 0o700)  # noqa: PTH102
        if _is_ours(folder):
            with open(draft, "wb") as file:  # noqa: PTH123
                marshal.dump(program, file)
            os.replace(draft, path)  # noqa: PTH105
    except OSError:
        if os.path.exists(draft):  # noqa: PTH110
            os.unlink(draft)  # noqa: PTH108


def _receive(folder: str, path: str, size: int) -> CodeType | None:
    """The program, None when the connection ended before all of it had come: the begin of one is a program too."""
    text = sys.stdin.buffer.read(size)
    if len(text) < size:
        return None
    program = compile(text, path, "exec", dont_inherit=True)
    _keep(folder, path, program)
    return program


def main() -> None:
    """Run the program with its arguments, as if it had been named."""
    name, sent = sys.argv[1], int(sys.argv[2])
    del sys.argv[1:3]
    folder = _folder()
    path = f"{folder}/{name}.{sys.implementation.cache_tag}"
    program = _receive(folder, path, sent) if sent else _load(folder, path)
    if program is None:
        sys.exit(MISSING)
    exec(program, {"__name__": "__main__"})


if __name__ == "__main__":
    main()
